#include "server/search/gp_acquisition.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "server/search/gp_normal.h"

namespace vlm::search::gp {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
// Added to variances, so that a point that is known exactly has a logarithm too.
constexpr double kLeastVariance = 1e-12;

}  // namespace

// One model's normal distribution at the point and outcome at hand, and how the result depends on
// it.
struct Acquisition::Gaussian {
  double mean = 0;
  double deviation = 1;
  double by_mean = 0;
  double by_deviation = 0;
};

LogGain ExpectedGain(double mean, double deviation, double low, double high) {
  const double z = (mean - low) / deviation;
  const double log_deviation = std::log(deviation);
  LogGain gain;
  gain.value = LogStandardImprovement(z) + log_deviation;
  if (high == kInf) {
    gain.by_mean = std::exp(LogNormalCdf(z) - gain.value);
    gain.by_deviation = std::exp(LogNormalDensity(z) - gain.value);
    return gain;
  }
  const double z_high = (mean - high) / deviation;
  gain.value = LogDifference(gain.value, LogStandardImprovement(z_high) + log_deviation);
  if (gain.value == -kInf) return gain;
  gain.by_mean =
      std::exp(LogNormalCdf(z) - gain.value) - std::exp(LogNormalCdf(z_high) - gain.value);
  gain.by_deviation =
      std::exp(LogNormalDensity(z) - gain.value) - std::exp(LogNormalDensity(z_high) - gain.value);
  return gain;
}

Acquisition::Acquisition(Parts parts) : parts_(std::move(parts)) {
  outcomes_ = Models().front()->outcomes();
}

std::vector<const Regression*> Acquisition::Models() const {
  std::vector<const Regression*> models;
  for (const Regression& model : parts_.objectives) models.push_back(&model);
  for (const Regression& model : parts_.constraints) models.push_back(&model);
  return models;
}

// One outcome's value. With slopes, also its derivatives by each model's mean and deviation.
double Acquisition::Outcome(size_t outcome, std::vector<Gaussian>& gaussians, bool slopes) const {
  const size_t objectives = parts_.objectives.size();
  double total = 0;
  for (Gaussian& gaussian : gaussians) gaussian.by_mean = gaussian.by_deviation = 0;
  if (!parts_.improvements.empty()) {
    const std::vector<Box>& boxes = parts_.improvements[outcome];
    std::vector<LogGain> gains(boxes.size() * objectives);
    std::vector<double> logs(boxes.size());
    total = -kInf;
    for (size_t b = 0; b < boxes.size(); ++b) {
      for (size_t i = 0; i < objectives; ++i) {
        LogGain& gain = gains[b * objectives + i];
        gain = ExpectedGain(gaussians[i].mean, gaussians[i].deviation, boxes[b].low[i],
                            boxes[b].high[i]);
        logs[b] += gain.value;
      }
      total = LogSum(total, logs[b]);
    }
    for (size_t b = 0; slopes && b < boxes.size(); ++b) {
      const double share = std::exp(logs[b] - total);
      if (!(share > 0)) continue;
      for (size_t i = 0; i < objectives; ++i) {
        gaussians[i].by_mean += share * gains[b * objectives + i].by_mean;
        gaussians[i].by_deviation += share * gains[b * objectives + i].by_deviation;
      }
    }
  }
  for (size_t c = 0; c < parts_.constraints.size(); ++c) {
    Gaussian& gaussian = gaussians[objectives + c];
    const double z = (gaussian.mean - parts_.thresholds[c]) / gaussian.deviation;
    const double log_cdf = LogNormalCdf(z);
    total += log_cdf;
    gaussian.by_mean = std::exp(LogNormalDensity(z) - log_cdf) / gaussian.deviation;
    gaussian.by_deviation = -z * gaussian.by_mean;
  }
  return total;
}

VectorXd Acquisition::Values(const Points& x) const {
  std::vector<Regression::Prediction> predictions;
  for (const Regression* model : Models()) predictions.push_back(model->Predict(x));
  VectorXd values(x.cols());
  std::vector<Gaussian> gaussians(predictions.size());
  for (Eigen::Index point = 0; point < x.cols(); ++point) {
    double sum = -kInf;
    for (size_t m = 0; m < gaussians.size(); ++m) {
      gaussians[m].deviation = std::sqrt(predictions[m].variance[point] + kLeastVariance);
    }
    for (Eigen::Index s = 0; s < outcomes_; ++s) {
      for (size_t m = 0; m < gaussians.size(); ++m) {
        gaussians[m].mean = predictions[m].mean(point, s);
      }
      sum = LogSum(sum, Outcome(static_cast<size_t>(s), gaussians, false));
    }
    values[point] = sum - std::log(static_cast<double>(outcomes_));
  }
  return values;
}

double Acquisition::ValueWithGradient(const VectorXd& x, VectorXd* gradient) const {
  const std::vector<const Regression*> models = Models();
  std::vector<Regression::Prediction> predictions(models.size());
  std::vector<Regression::Slopes> slopes(models.size());
  std::vector<std::vector<Gaussian>> gaussians(static_cast<size_t>(outcomes_),
                                               std::vector<Gaussian>(models.size()));
  for (size_t m = 0; m < models.size(); ++m) {
    predictions[m] = models[m]->PredictWithSlopes(x, &slopes[m]);
  }
  std::vector<double> logs(static_cast<size_t>(outcomes_));
  double sum = -kInf;
  for (size_t s = 0; s < logs.size(); ++s) {
    for (size_t m = 0; m < models.size(); ++m) {
      gaussians[s][m].mean = predictions[m].mean(0, static_cast<Eigen::Index>(s));
      gaussians[s][m].deviation = std::sqrt(predictions[m].variance[0] + kLeastVariance);
    }
    logs[s] = Outcome(s, gaussians[s], true);
    sum = LogSum(sum, logs[s]);
  }
  gradient->setZero(x.size());
  for (size_t s = 0; s < logs.size(); ++s) {
    const double share = std::exp(logs[s] - sum);
    if (!(share > 0)) continue;
    for (size_t m = 0; m < models.size(); ++m) {
      const Gaussian& gaussian = gaussians[s][m];
      *gradient += share * gaussian.by_mean * slopes[m].mean.col(static_cast<Eigen::Index>(s));
      *gradient += share * gaussian.by_deviation / (2 * gaussian.deviation) * slopes[m].variance;
    }
  }
  return sum - std::log(static_cast<double>(outcomes_));
}

VectorXd Acquisition::LengthScales() const {
  VectorXd sum = VectorXd::Zero(parts_.objectives[0].params().weights.size());
  for (const Regression& model : parts_.objectives) {
    sum.array() += model.params().weights.array().rsqrt();
  }
  return sum / static_cast<double>(parts_.objectives.size());
}

}  // namespace vlm::search::gp
