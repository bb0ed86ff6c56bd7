#include "insight/shapes/scene.h"

#include <cairo.h>

#include <array>
#include <cmath>
#include <memory>
#include <random>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace vlm::insight {
namespace {

constexpr double kPi = 3.14159265358979323846;

struct Color {
  const char* name;
  double r, g, b;
};
constexpr std::array<Color, 4> kColors = {{{"red", .86, .12, .12},
                                           {"green", .10, .62, .18},
                                           {"blue", .13, .27, .90},
                                           {"yellow", .95, .80, .08}}};
constexpr std::array<const char*, 3> kKinds = {"circle", "square", "triangle"};
constexpr std::array<const char*, 4> kRelations = {"left of", "right of", "above", "below"};

// The engine is defined by the standard bit by bit; its distributions are not, so these are ours.
class Dice {
 public:
  Dice(uint64_t seed, int64_t index)
      : engine_(seed * 0x9E3779B97F4A7C15u + static_cast<uint64_t>(index) * 0xD1B54A32D192ED03u) {}
  int Below(int n) { return static_cast<int>(engine_() % static_cast<uint64_t>(n)); }
  double Between(double low, double high) {
    return low + (high - low) * static_cast<double>(engine_() >> 11) * 0x1p-53;
  }

 private:
  std::mt19937_64 engine_;
};

// Equal sides, one corner up; larger than the circle around it would be, to have a like area.
void Triangle(cairo_t* cr, const Shape& shape) {
  const double radius = shape.radius * 1.3;
  for (int i = 0; i < 3; ++i) {
    const double angle = -kPi / 2 + 2 * kPi * i / 3;
    cairo_line_to(cr, shape.x + radius * std::cos(angle), shape.y + radius * std::sin(angle));
  }
  cairo_close_path(cr);
}

void Draw(cairo_t* cr, const Shape& shape) {
  const Color& color = kColors[static_cast<size_t>(shape.color)];
  const double half = shape.radius;
  cairo_set_source_rgb(cr, color.r, color.g, color.b);
  cairo_new_path(cr);
  switch (shape.kind) {
    case ShapeKind::kCircle:
      cairo_arc(cr, shape.x, shape.y, shape.radius, 0, 2 * kPi);
      break;
    case ShapeKind::kSquare:
      cairo_rectangle(cr, shape.x - half, shape.y - half, 2 * half, 2 * half);
      break;
    case ShapeKind::kTriangle:
      Triangle(cr, shape);
      break;
  }
  cairo_fill(cr);
}

// Puts the two on both sides of the middle, along the axis that the relation speaks of.
void Place(Dice& dice, Scene* scene) {
  const double middle = .5 + dice.Between(-.02, .02);
  const double gap = dice.Between(.22, .24);
  const double first = middle - gap;
  const double second = middle + gap;
  const double across1 = dice.Between(.44, .56);
  const double across2 = dice.Between(.44, .56);
  const bool subject_first =
      scene->relation == Relation::kLeftOf || scene->relation == Relation::kAbove;
  const double subject = subject_first ? first : second;
  const double object = subject_first ? second : first;
  if (scene->relation == Relation::kLeftOf || scene->relation == Relation::kRightOf) {
    scene->subject.x = subject, scene->subject.y = across1;
    scene->object.x = object, scene->object.y = across2;
  } else {
    scene->subject.y = subject, scene->subject.x = across1;
    scene->object.y = object, scene->object.x = across2;
  }
}

cairo_status_t Append(void* text, const unsigned char* data, unsigned int size) {
  static_cast<std::string*>(text)->append(reinterpret_cast<const char*>(data), size);
  return CAIRO_STATUS_SUCCESS;
}

}  // namespace

Scene MakeScene(uint64_t seed, int64_t index) {
  Dice dice(seed, index);
  Scene scene;
  scene.large = dice.Below(2) == 1;
  scene.relation = static_cast<Relation>(dice.Below(4));
  scene.background = dice.Between(.90, 1);
  for (Shape* shape : {&scene.subject, &scene.object}) {
    shape->kind = static_cast<ShapeKind>(dice.Below(static_cast<int>(kKinds.size())));
    shape->color = dice.Below(static_cast<int>(kColors.size()));
  }
  scene.subject.radius = scene.large ? dice.Between(.22, .235) : dice.Between(.10, .115);
  scene.object.radius = dice.Between(.155, .17);
  Place(dice, &scene);
  return scene;
}

std::string Caption(const Scene& scene) {
  const auto name = [](const Shape& shape) {
    return absl::StrCat(kColors[static_cast<size_t>(shape.color)].name, " ",
                        kKinds[static_cast<size_t>(shape.kind)]);
  };
  return absl::StrCat("a ", scene.large ? "large " : "small ", name(scene.subject), " ",
                      kRelations[static_cast<size_t>(scene.relation)], " a ", name(scene.object));
}

absl::StatusOr<std::string> RenderPng(const Scene& scene, int image_size) {
  const std::unique_ptr<cairo_surface_t, void (*)(cairo_surface_t*)> surface(
      cairo_image_surface_create(CAIRO_FORMAT_RGB24, image_size, image_size),
      cairo_surface_destroy);
  const std::unique_ptr<cairo_t, void (*)(cairo_t*)> context(cairo_create(surface.get()),
                                                             cairo_destroy);
  cairo_t* cr = context.get();
  cairo_scale(cr, image_size, image_size);
  cairo_set_source_rgb(cr, scene.background, scene.background, scene.background);
  cairo_paint(cr);
  Draw(cr, scene.object);
  Draw(cr, scene.subject);
  std::string png;
  cairo_status_t status = cairo_status(cr);
  if (status == CAIRO_STATUS_SUCCESS) {
    status = cairo_surface_write_to_png_stream(surface.get(), Append, &png);
  }
  if (status != CAIRO_STATUS_SUCCESS) {
    return absl::InternalError(absl::StrCat("drawing a picture: ", cairo_status_to_string(status)));
  }
  return png;
}

}  // namespace vlm::insight
