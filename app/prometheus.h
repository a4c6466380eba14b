#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "core/metrics.h"
#include "core/mutex.h"

namespace quiver::app {

/// Writes figures in Prometheus' text format, one metric after the other.
///
/// Source: Prometheus, exposition formats, text-based format 0.0.4.
class MetricText {
 public:
  /// Begins a metric. `type`: counter, gauge or histogram.
  void begin(const MetricName& metric, std::string_view type);
  /// A figure of the metric begun last; `suffix` goes to its name.
  void value(std::string_view labels, double figure, std::string_view suffix = "");
  /// begin() and the one figure there is.
  void gauge(const MetricName& metric, double figure);
  void counter(const MetricName& metric, double figure);

  /// `name="value",...` with what needs it escaped.
  static std::string rendered(const MetricLabels& labels);

  const std::string& text() const noexcept { return text_; }

 private:
  std::string_view name_;
  std::string text_;
};

/// Keeps counts and durations until Prometheus asks for them.
///
/// Threads: any.
class Prometheus final : public MetricSink {
 public:
  void count(const MetricName& metric, const MetricLabels& labels) override QV_EXCLUDES(mutex_);
  void observe(const MetricName& metric, const MetricLabels& labels, double seconds) override
      QV_EXCLUDES(mutex_);

  /// Adds all there is.
  void write(MetricText& out) const QV_EXCLUDES(mutex_);

 private:
  /// Upper ends in seconds, those of searches on a graph to those of long imports. What takes
  /// longer counts into the last, +Inf.
  static constexpr std::array<double, 14> kBounds{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                  0.1,    0.25,  0.5,    1.0,   2.5,  10.0,  60.0};
  struct Durations {
    /// Of each bound those that no lower bound holds; the last are those beyond.
    std::array<std::uint64_t, kBounds.size() + 1> counts{};
    double sum = 0.0;
  };
  /// By name of the metric, then by rendered labels.
  template <typename Series>
  using Families = std::map<std::string_view, std::pair<MetricName, std::map<std::string, Series>>>;

  static void write_durations(MetricText& out, const std::string& labels,
                              const Durations& durations);

  mutable Mutex mutex_;
  Families<std::uint64_t> counts_ QV_GUARDED_BY(mutex_);
  Families<Durations> durations_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::app
