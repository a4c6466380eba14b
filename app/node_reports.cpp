#include "app/node_reports.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

#include "service/operations/node_status.h"

namespace quiver::app {
namespace {

Result<Json> status_of(service::Executor& executor) {
  CallContext call;
  call.deadline = std::chrono::steady_clock::now() + kReportPatience;
  return executor.invoke(call, service::kNodeStatus, Json::object());
}

void write_servers(const Json& servers, MetricText& out) {
  const auto each = [&](const MetricName& metric, const auto& figure) {
    out.begin(metric, "gauge");
    for (const Json& server : servers) {
      const MetricLabels labels{{"node", server.at("id").get<std::string>()},
                                {"name", server.at("name").get<std::string>()},
                                {"state", server.at("state").get<std::string>()}};
      out.value(MetricText::rendered(labels), figure(server));
    }
  };
  each({"quiver_node_up", "1 for servers that answer, by what this one knows."},
       [](const Json& server) { return server.at("up").get<bool>() ? 1.0 : 0.0; });
  each({"quiver_node_shards", "Copies of shards on a server."},
       [](const Json& server) { return server.at("shards").get<double>(); });
  each({"quiver_node_primaries", "Shards whose primary is on a server."},
       [](const Json& server) { return server.at("primaries").get<double>(); });
}

/// The fields of /proc/self/stat behind the name of the program, which may hold anything.
std::vector<double> own_stat() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  const auto name_end = line.rfind(") ");
  std::vector<double> fields;
  if (name_end == std::string::npos) return fields;
  std::istringstream rest(line.substr(name_end + 4));
  for (double field = 0.0; rest >> field;) fields.push_back(field);
  return fields;
}

/// Unix seconds. Nothing if the system does not say.
double boot_time() {
  std::ifstream file("/proc/stat");
  for (std::string word; file >> word;) {
    double seconds = 0.0;
    if (word == "btime" && file >> seconds) return seconds;
  }
  return 0.0;
}

double open_files() {
  std::error_code error;
  double count = 0.0;
  std::filesystem::directory_iterator file("/proc/self/fd", error);
  for (; !error && file != std::filesystem::directory_iterator(); file.increment(error)) ++count;
  return count;
}

void write_copies(const Json& status, MetricText& out) {
  const auto figure = [&](const char* name) { return status.at(name).get<double>(); };
  out.counter({"quiver_copy_comparisons_total", "Of copies with their primaries on this server."},
              figure("copy_comparisons"));
  out.counter({"quiver_copy_comparisons_undecided_total", "That told nothing, and are made again."},
              figure("copy_comparisons_undecided"));
  out.counter(
      {"quiver_copies_differing_total", "Copies found to differ from what they should hold."},
      figure("copies_differing"));
  out.gauge({"quiver_copies_compared_timestamp_seconds",
             "When copies were last compared, Unix time; 0: not since the start."},
            figure("copies_compared_at_ms") / 1000.0);
  out.counter(
      {"quiver_copy_sent_bytes_total", "Of files of shards that were moved or copied from here."},
      figure("copy_bytes_sent"));
  out.counter(
      {"quiver_copy_fetched_bytes_total", "Of files of shards that were moved or copied to here."},
      figure("copy_bytes_fetched"));
}

}  // namespace

Result<api::Readiness> readiness(service::Executor& executor) {
  QV_TRY(const Json status, status_of(executor));
  return api::Readiness{status.at("reads_only").get<std::string>()};
}

void write_node_metrics(service::Executor& executor, MetricText& out) {
  const auto status = status_of(executor);
  out.gauge({"quiver_ready", "1 if this server can serve."}, status.ok() ? 1.0 : 0.0);
  if (!status.ok()) return;
  const auto figure = [&](const char* name) { return status->at(name).get<double>(); };
  out.gauge({"quiver_takes_writes", "0 while this server serves reads only."},
            status->at("reads_only").get<std::string>().empty() ? 1.0 : 0.0);
  out.gauge({"quiver_epoch_on_disk", "Of the map of the cluster that is on this server's disk."},
            figure("kept_epoch"));
  out.gauge({"quiver_epoch", "Of the map of the cluster that this server has."}, figure("epoch"));
  out.gauge({"quiver_collections", "Collections."}, figure("collections"));
  out.gauge({"quiver_shards", "Shards of all collections."}, figure("shards"));
  out.gauge({"quiver_shard_copies_missing", "Copies that shards lack."}, figure("copies_missing"));
  out.gauge({"quiver_shards_unresolved",
             "Shards with several copies that nothing can be done about now."},
            figure("unresolved"));
  write_copies(*status, out);
  write_servers(status->at("nodes"), out);
}

void write_process_metrics(MetricText& out) {
  // Fields 14, 15, 20, 22, 23 and 24 of proc(5), counted from field 4 on.
  constexpr std::size_t kUser = 10, kSystem = 11, kThreads = 16, kStart = 18, kVirtual = 19,
                        kResident = 20;
  const auto stat = own_stat();
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  if (stat.size() > kResident && ticks > 0.0) {
    out.counter({"process_cpu_seconds_total", "User and system time of this process."},
                (stat[kUser] + stat[kSystem]) / ticks);
    out.gauge({"process_threads", "Threads."}, stat[kThreads]);
    out.gauge({"process_start_time_seconds", "When this process began, Unix time."},
              boot_time() + stat[kStart] / ticks);
    out.gauge({"process_virtual_memory_bytes", "Address space."}, stat[kVirtual]);
    out.gauge({"process_resident_memory_bytes", "Memory in use."},
              stat[kResident] * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  }
  out.gauge({"process_open_fds", "Open files and sockets."}, open_files());
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    out.gauge({"process_max_fds", "As many may be open."}, static_cast<double>(limit.rlim_cur));
  }
}

}  // namespace quiver::app
