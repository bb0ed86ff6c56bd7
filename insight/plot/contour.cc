// The objective over two parameters.
#include <algorithm>
#include <cmath>

#include "common/status.h"
#include "insight/plot/heat.h"
#include "insight/plot/marks.h"

namespace vlm::insight {
namespace {

constexpr int kBands = 12;

// A COMPLETE trial in the unit square of the axes, with its value in 0..1 of the value's scale.
struct Sample {
  double x, y, value;
};

std::vector<Sample> Samples(const StudyPlot& study, size_t objective, const ParamAxis& value_axis,
                            size_t x, const ParamAxis& x_axis, size_t y, const ParamAxis& y_axis) {
  std::vector<Sample> out;
  for (const PlotTrial& trial : study.trials) {
    const double value = ValueOf(trial, objective);
    if (!IsComplete(trial) || !value_axis.Shows(value) || !x_axis.Shows(trial.params[x]) ||
        !y_axis.Shows(trial.params[y])) {
      continue;
    }
    out.push_back({x_axis.scale.Map(trial.params[x]), y_axis.scale.Map(trial.params[y]),
                   std::clamp(value_axis.scale.Map(value), 0.0, 1.0)});
  }
  return out;
}

// Shepard's inverse-distance weights, to the third power, with a little room so that equal places
// are averaged.
double Interpolate(const std::vector<Sample>& samples, double x, double y) {
  double sum = 0;
  double weights = 0;
  for (const Sample& s : samples) {
    const double squared = (x - s.x) * (x - s.x) + (y - s.y) * (y - s.y) + 1e-5;
    const double weight = 1 / (squared * std::sqrt(squared));
    sum += weight * s.value;
    weights += weight;
  }
  return sum / weights;
}

double Band(double share) {
  return std::min(std::floor(share * kBands), kBands - 1.0) / (kBands - 1.0);
}

// Painted as a small picture that is stretched, so that an SVG stays small.
void DrawField(Canvas* canvas, const Area& area, const std::vector<Sample>& samples, bool flip) {
  if (samples.empty()) return;
  // At most so many evaluations of a weight.
  const double budget = std::sqrt(6e7 / static_cast<double>(samples.size()));
  const int cells = static_cast<int>(std::clamp(budget, 40.0, 260.0));
  cairo_surface_t* image = cairo_image_surface_create(CAIRO_FORMAT_RGB24, cells, cells);
  cairo_surface_flush(image);
  unsigned char* data = cairo_image_surface_get_data(image);
  const int stride = cairo_image_surface_get_stride(image);
  for (int row = 0; row < cells; ++row) {
    auto* line = reinterpret_cast<uint32_t*>(data + static_cast<ptrdiff_t>(row) * stride);
    for (int column = 0; column < cells; ++column) {
      const double share =
          Band(Interpolate(samples, (column + 0.5) / cells, 1 - (row + 0.5) / cells));
      const Color c = HeatColor(flip ? 1 - share : share);
      const auto part = [](double v) { return static_cast<uint32_t>(std::lround(v * 255)); };
      line[column] = part(c.r) << 16U | part(c.g) << 8U | part(c.b);
    }
  }
  cairo_surface_mark_dirty(image);
  cairo_t* cr = canvas->cr();
  cairo_save(cr);
  cairo_translate(cr, area.left, area.top);
  cairo_scale(cr, (area.right - area.left) / cells, (area.bottom - area.top) / cells);
  cairo_set_source_surface(cr, image, 0, 0);
  cairo_pattern_set_filter(cairo_get_source(cr), CAIRO_FILTER_NEAREST);
  cairo_rectangle(cr, 0, 0, cells, cells);
  cairo_fill(cr);
  cairo_restore(cr);
  cairo_surface_destroy(image);
}

void DrawMarks(Canvas* canvas, const Area& area, const StudyPlot& study, size_t x,
               const ParamAxis& x_axis, size_t y, const ParamAxis& y_axis) {
  const double size = study.trials.size() > 500 ? 1.6 : 3;
  for (const PlotTrial& trial : study.trials) {
    if (!x_axis.Shows(trial.params[x]) || !y_axis.Shows(trial.params[y])) continue;
    const double px = area.X(x_axis.scale, trial.params[x]);
    const double py = area.Y(y_axis.scale, trial.params[y]);
    if (IsComplete(trial)) {
      canvas->Set(kPaper);
      DrawShape(canvas, Shape::kDot, px, py, size + 1.2);
      canvas->Set(trial.mark == TrialMark::kInfeasible ? kMuted : kInk);
      DrawShape(canvas, Shape::kDot, px, py, size);
    } else {
      const bool pruned = trial.mark == TrialMark::kPruned;
      canvas->Set(pruned ? kPrunedColor : kFailedColor);
      DrawShape(canvas, pruned ? Shape::kSquare : Shape::kCross, px, py, size);
    }
    if (trial.mark != TrialMark::kBest) continue;
    canvas->Set(kPaper);
    DrawShape(canvas, Shape::kRing, px, py, 9);
    canvas->Set(kInk);
    DrawShape(canvas, Shape::kRing, px, py, 7);
  }
}

}  // namespace

absl::Status PlotContour(const StudyPlot& study, size_t objective, size_t x, size_t y,
                         const std::string& path) {
  ASSIGN_OR_RETURN(auto canvas, Canvas::Open(path, study.width, study.height));
  const PlotParam& goal = study.objectives.at(objective);
  const int ticks = std::clamp(study.height / 70, 3, 9);
  const ParamAxis values = MakeParamAxis(goal, ValueColumn(study, objective), ticks);
  const ParamAxis x_axis = MakeParamAxis(study.params.at(x), ParamColumn(study, x),
                                         std::clamp(study.width / 110, 3, 12));
  const ParamAxis y_axis = MakeParamAxis(study.params.at(y), ParamColumn(study, y), ticks);
  const Labels labels{study.title, study.params[x].name, study.params[y].name};
  const Area area =
      LayOut(canvas.get(), study.width, study.height, labels, y_axis.ticks, kHeatBarWidth + 8);
  DrawFrame(canvas.get(), area, study.height, labels, x_axis.scale, y_axis.scale, x_axis.ticks,
            y_axis.ticks);
  const auto samples = Samples(study, objective, values, x, x_axis, y, y_axis);
  DrawField(canvas.get(), area, samples, study.maximize.at(objective));
  DrawMarks(canvas.get(), area, study, x, x_axis, y, y_axis);
  DrawHeatBar(canvas.get(), area.right + 16, area.top + 24, area.bottom, values,
              study.maximize.at(objective), goal.name);
  if (samples.empty()) DrawNoData(canvas.get(), area);
  return canvas->Finish();
}

}  // namespace vlm::insight
