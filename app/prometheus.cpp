#include "app/prometheus.h"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace quiver::app {
namespace {

/// Without an exponent, so that a bound reads as it is asked for; all but absurd figures fit.
std::string number(double figure) {
  std::array<char, 64> text{};
  char* const begin = text.data();
  const auto plain = std::to_chars(begin, begin + text.size(), figure, std::chars_format::fixed);
  if (plain.ec == std::errc()) return {begin, plain.ptr};
  return {begin, std::to_chars(begin, begin + text.size(), figure).ptr};
}

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
}

std::string with_bound(const std::string& labels, const std::string& bound) {
  std::string out = labels;
  if (!out.empty()) out += ',';
  return out.append("le=\"").append(bound).append("\"");
}

}  // namespace

void MetricText::begin(const MetricName& metric, std::string_view type) {
  name_ = metric.name;
  text_.append("# HELP ").append(name_).append(" ").append(metric.help);
  text_.append("\n# TYPE ").append(name_).append(" ").append(type).append("\n");
}

void MetricText::value(std::string_view labels, double figure, std::string_view suffix) {
  text_.append(name_).append(suffix);
  if (!labels.empty()) text_.append("{").append(labels).append("}");
  text_.append(" ").append(number(figure)).append("\n");
}

void MetricText::gauge(const MetricName& metric, double figure) {
  begin(metric, "gauge");
  value("", figure);
}

void MetricText::counter(const MetricName& metric, double figure) {
  begin(metric, "counter");
  value("", figure);
}

std::string MetricText::rendered(const MetricLabels& labels) {
  std::string out;
  for (const auto& [name, value] : labels) {
    if (!out.empty()) out += ',';
    out.append(name).append("=\"");
    append_escaped(out, value);
    out += '"';
  }
  return out;
}

void Prometheus::count(const MetricName& metric, const MetricLabels& labels) {
  std::string key = MetricText::rendered(labels);
  const MutexLock lock(mutex_);
  auto& family = counts_.try_emplace(metric.name, metric, std::map<std::string, std::uint64_t>{})
                     .first->second;
  ++family.second[std::move(key)];
}

void Prometheus::observe(const MetricName& metric, const MetricLabels& labels, double seconds) {
  std::string key = MetricText::rendered(labels);
  const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), seconds);
  const auto at = static_cast<std::size_t>(bound - kBounds.begin());
  const MutexLock lock(mutex_);
  auto& family =
      durations_.try_emplace(metric.name, metric, std::map<std::string, Durations>{}).first->second;
  Durations& durations = family.second[std::move(key)];
  ++durations.counts[at];
  durations.sum += seconds;
}

void Prometheus::write_durations(MetricText& out, const std::string& labels,
                                 const Durations& durations) {
  std::uint64_t so_far = 0;
  for (std::size_t i = 0; i < durations.counts.size(); ++i) {
    so_far += durations.counts[i];
    const std::string bound = i < kBounds.size() ? number(kBounds[i]) : "+Inf";
    out.value(with_bound(labels, bound), static_cast<double>(so_far), "_bucket");
  }
  out.value(labels, durations.sum, "_sum");
  out.value(labels, static_cast<double>(so_far), "_count");
}

void Prometheus::write(MetricText& out) const {
  const MutexLock lock(mutex_);
  for (const auto& [name, family] : counts_) {
    out.begin(family.first, "counter");
    for (const auto& [labels, count] : family.second) out.value(labels, static_cast<double>(count));
  }
  for (const auto& [name, family] : durations_) {
    out.begin(family.first, "histogram");
    for (const auto& [labels, durations] : family.second) write_durations(out, labels, durations);
  }
}

}  // namespace quiver::app
