// Prometheus' text format, line by line as its documentation has it.

#include "app/prometheus.h"

#include <ctime>
#include <sstream>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "app/metered.h"
#include "app/node_reports.h"
#include "service/operations/node_status.h"

namespace quiver::app {
namespace {

using Catch::Matchers::Contains;

constexpr MetricName kThings{"things_total", "Things."};
constexpr MetricName kTimes{"wait_seconds", "Waits."};

std::string text_of(const Prometheus& metrics) {
  MetricText out;
  metrics.write(out);
  return out.text();
}

/// The figure of a series, by its name with labels.
double figure(const std::string& text, const std::string& series) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(series + " ")) return std::stod(line.substr(series.size() + 1));
  }
  FAIL("no series " << series << " in\n" << text);
  return 0.0;
}

/// Answers one operation as it is told.
class Fixed final : public service::Executor {
 public:
  Result<Json> invoke(const CallContext& call, std::string_view operation,
                      const Json& arguments) override {
    CHECK(call.deadline.has_value() == (operation == service::kNodeStatus));
    CHECK(arguments.empty());
    return answer;
  }
  Result<Json> answer = Json::object();
};

class Kept final : public HttpResponder {
 public:
  void respond(HttpResponse response) override { status = response.status; }
  std::shared_ptr<HttpStream> stream(HttpResponse head) override {
    status = head.status;
    return nullptr;
  }
  void on_gone(std::function<void()> gone) override { gone(); }
  int status = 0;
};

TEST_CASE("Prometheus: counters by their labels, escaped", "[app]") {
  Prometheus metrics;
  CHECK(text_of(metrics).empty());
  metrics.count(kThings, {{"kind", "a\\b\"c\nd"}});
  metrics.count(kThings, {});
  metrics.count(kThings, {{"kind", "x"}, {"size", "1"}});
  metrics.count(kThings, {{"kind", "x"}, {"size", "1"}});
  CHECK(text_of(metrics) ==
        "# HELP things_total Things.\n"
        "# TYPE things_total counter\n"
        "things_total 1\n"
        "things_total{kind=\"a\\\\b\\\"c\\nd\"} 1\n"
        "things_total{kind=\"x\",size=\"1\"} 2\n");
}

TEST_CASE("Prometheus: figures are written as people read them", "[app]") {
  MetricText out;
  for (const double number : {0.0, 1.0, 0.0005, 1764000000.25, 281474976710656.0, 1e300}) {
    out.value("", number);
  }
  CHECK(out.text() == " 0\n 1\n 0.0005\n 1764000000.25\n 281474976710656\n 1e+300\n");
}

TEST_CASE("Prometheus: histograms are cumulative, and their last bucket holds all", "[app]") {
  Prometheus metrics;
  for (const double seconds : {0.0, 0.0005, 0.0006, 0.03, 61.0}) {
    metrics.observe(kTimes, {{"route", "/r"}}, seconds);
  }
  const std::string text = text_of(metrics);
  CHECK_THAT(text, Contains("# HELP wait_seconds Waits.\n# TYPE wait_seconds histogram\n"));
  const auto bucket = [&](const std::string& bound) {
    return figure(text, R"(wait_seconds_bucket{route="/r",le=")" + bound + "\"}");
  };
  CHECK(bucket("0.0005") == 2.0);
  CHECK(bucket("0.001") == 3.0);
  CHECK(bucket("0.025") == 3.0);
  CHECK(bucket("0.05") == 4.0);
  CHECK(bucket("60") == 4.0);
  CHECK(bucket("+Inf") == 5.0);
  CHECK(figure(text, R"(wait_seconds_count{route="/r"})") == 5.0);
  CHECK(figure(text, R"(wait_seconds_sum{route="/r"})") == Approx(61.0311));

  metrics.observe(kTimes, {}, 0.2);
  CHECK(figure(text_of(metrics), R"(wait_seconds_bucket{le="0.25"})") == 1.0);
}

TEST_CASE("Prometheus: nothing is lost when threads count at the same time", "[app]") {
  Prometheus metrics;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 500; ++n) {
        metrics.count(kThings, {});
        metrics.observe(kTimes, {}, 0.001);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(figure(text_of(metrics), "things_total") == 2000.0);
  CHECK(figure(text_of(metrics), "wait_seconds_count") == 2000.0);
}

TEST_CASE("metered: operations by name and outcome", "[app]") {
  Prometheus metrics;
  Fixed inner;
  MeteredExecutor executor(inner, metrics);
  CHECK(executor.invoke({}, "memory_search", Json::object()).ok());
  inner.answer = Error{ErrorCode::NotFound, "no"};
  CHECK_FALSE(executor.invoke({}, "memory_search", Json::object()).ok());
  const std::string text = text_of(metrics);
  const std::string name = R"(quiver_operations_total{operation="memory_search",outcome=)";
  CHECK(figure(text, name + "\"ok\"}") == 1.0);
  CHECK(figure(text, name + "\"not_found\"}") == 1.0);
  CHECK(figure(text, R"(quiver_operation_seconds_count{operation="memory_search"})") == 2.0);
}

TEST_CASE("metered: requests by route and status, with methods that clients invent", "[app]") {
  Prometheus metrics;
  const auto kept = std::make_shared<Kept>();
  metered(kept, "GET", "/r", metrics)->respond({404, {}, ""});
  CHECK(kept->status == 404);
  metered(kept, "BREW", "/r", metrics)->stream({200, {}, ""});
  CHECK(kept->status == 200);
  bool gone = false;
  metered(kept, "GET", "/r", metrics)->on_gone([&] { gone = true; });
  CHECK(gone);
  const std::string text = text_of(metrics);
  CHECK(figure(text, R"(quiver_http_requests_total{method="GET",route="/r",status="404"})") == 1.0);
  CHECK(figure(text, R"(quiver_http_requests_total{method="other",route="/r",status="200"})") ==
        1.0);
  CHECK(figure(text, R"(quiver_http_request_seconds_count{route="/r"})") == 2.0);
}

TEST_CASE("reports: figures of the cluster, or that there are none yet", "[app]") {
  Fixed executor;
  executor.answer = Json{{"epoch", 7},
                         {"collections", 2},
                         {"shards", 5},
                         {"copies_missing", 1},
                         {"unresolved", 2},
                         {"reads_only", ""},
                         {"kept_epoch", 6},
                         {"copy_comparisons", 40},
                         {"copy_comparisons_undecided", 3},
                         {"copies_differing", 1},
                         {"copies_compared_at_ms", 1'700'000'000'500},
                         {"copy_bytes_sent", 1234},
                         {"copy_bytes_fetched", 0},
                         {"nodes", Json::array({{{"id", "n1"},
                                                 {"name", "one"},
                                                 {"state", "active"},
                                                 {"up", true},
                                                 {"shards", 3},
                                                 {"primaries", 2}},
                                                {{"id", "n2"},
                                                 {"name", "two"},
                                                 {"state", "draining"},
                                                 {"up", false},
                                                 {"shards", 2},
                                                 {"primaries", 0}}})}};
  CHECK(readiness(executor)->reads_only.empty());
  MetricText out;
  write_node_metrics(executor, out);
  CHECK(figure(out.text(), "quiver_ready") == 1.0);
  CHECK(figure(out.text(), "quiver_takes_writes") == 1.0);
  CHECK(figure(out.text(), "quiver_epoch") == 7.0);
  CHECK(figure(out.text(), "quiver_epoch_on_disk") == 6.0);
  CHECK(figure(out.text(), "quiver_collections") == 2.0);
  CHECK(figure(out.text(), "quiver_shards") == 5.0);
  CHECK(figure(out.text(), "quiver_shard_copies_missing") == 1.0);
  CHECK(figure(out.text(), "quiver_shards_unresolved") == 2.0);
  CHECK(figure(out.text(), "quiver_copy_comparisons_total") == 40.0);
  CHECK(figure(out.text(), "quiver_copy_comparisons_undecided_total") == 3.0);
  CHECK(figure(out.text(), "quiver_copies_differing_total") == 1.0);
  CHECK(figure(out.text(), "quiver_copies_compared_timestamp_seconds") == 1'700'000'000.5);
  CHECK(figure(out.text(), "quiver_copy_sent_bytes_total") == 1234.0);
  CHECK(figure(out.text(), "quiver_copy_fetched_bytes_total") == 0.0);
  CHECK(figure(out.text(), R"(quiver_node_up{node="n1",name="one",state="active"})") == 1.0);
  CHECK(figure(out.text(), R"(quiver_node_up{node="n2",name="two",state="draining"})") == 0.0);
  CHECK(figure(out.text(), R"(quiver_node_shards{node="n2",name="two",state="draining"})") == 2.0);
  CHECK(figure(out.text(), R"(quiver_node_primaries{node="n1",name="one",state="active"})") == 2.0);

  (*executor.answer)["reads_only"] = "etcd is away";
  CHECK(readiness(executor)->reads_only == "etcd is away");
  MetricText reads;
  write_node_metrics(executor, reads);
  CHECK(figure(reads.text(), "quiver_ready") == 1.0);
  CHECK(figure(reads.text(), "quiver_takes_writes") == 0.0);

  executor.answer = Error{ErrorCode::Unavailable, "waits for etcd"};
  CHECK(readiness(executor).error().message == "waits for etcd");
  MetricText none;
  write_node_metrics(executor, none);
  CHECK(figure(none.text(), "quiver_ready") == 0.0);
  CHECK_THAT(none.text(), !Contains("quiver_epoch"));
}

TEST_CASE("reports: figures of this process", "[app]") {
  MetricText out;
  write_process_metrics(out);
  CHECK(figure(out.text(), "process_cpu_seconds_total") >= 0.0);
  CHECK(figure(out.text(), "process_resident_memory_bytes") > 1e6);
  CHECK(figure(out.text(), "process_virtual_memory_bytes") >=
        figure(out.text(), "process_resident_memory_bytes"));
  CHECK(figure(out.text(), "process_threads") >= 1.0);
  // After 2020, and not in the future.
  CHECK(figure(out.text(), "process_start_time_seconds") > 1.577e9);
  CHECK(figure(out.text(), "process_start_time_seconds") <=
        static_cast<double>(std::time(nullptr)) + 1.0);
  CHECK(figure(out.text(), "process_open_fds") >= 3.0);
  CHECK(figure(out.text(), "process_max_fds") >= figure(out.text(), "process_open_fds"));
}

}  // namespace
}  // namespace quiver::app
