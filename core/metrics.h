#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quiver {

/// Something that is counted or timed. Names are as Prometheus has them: snake_case, the unit last.
struct MetricName {
  std::string_view name;
  /// One sentence for people.
  std::string_view help;
};

/// What tells the series of one metric apart. Values come from small fixed sets, never from what a
/// client chose.
using MetricLabels = std::vector<std::pair<std::string_view, std::string>>;

/// Where rooms report figures, whoever collects them.
///
/// Threads: any. No call blocks.
class MetricSink {
 public:
  virtual ~MetricSink() = default;

  /// One more of what is counted; the name ends in _total.
  virtual void count(const MetricName& metric, const MetricLabels& labels) = 0;

  /// How long one of what is timed took; the name ends in _seconds.
  virtual void observe(const MetricName& metric, const MetricLabels& labels, double seconds) = 0;
};

}  // namespace quiver
