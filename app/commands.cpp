#include "app/commands.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include <unistd.h>

#include "app/cli_output.h"
#include "app/cluster_init.h"
#include "app/config.h"
#include "app/connect_help.h"
#include "app/dev_cluster.h"
#include "app/doctor.h"
#include "app/exporter.h"
#include "app/local_engine.h"
#include "app/logging.h"
#include "app/node.h"
#include "app/progress_line.h"
#include "app/stop_signals.h"

namespace quiver::app {
namespace {

namespace fs = std::filesystem;

/// Lines of an export that are written at once.
constexpr std::size_t kOutputBytes = std::size_t{1} << 16;

fs::path program_path() {
  std::error_code unknown;
  return fs::read_symlink("/proc/self/exe", unknown);
}

ExitCode fail(const std::string& message, ExitCode code = ExitCode::Failed) {
  write_stderr("quiver: " + message + "\n");
  return code;
}

ExitCode finish(const Status& status) {
  return status.ok() ? ExitCode::Ok : fail(status.error().message);
}

/// What every command but `version` needs, and the signals that end it.
class Session {
 public:
  /// Errors: those of load_options().
  static Result<std::unique_ptr<Session>> open(const CommandLine& line) {
    const Environment environment = process_environment();
    QV_TRY(Options options, load_options({line.config_file, environment, line.settings,
                                          line.command == Command::Dev}));
    options.restore_map = line.restore_map;
    const bool runs_on = line.command == Command::Serve || line.command == Command::Mcp ||
                         line.command == Command::Dev;
    // A command that a person waits for does not tell what is as expected.
    const bool is_quiet = !runs_on && !line.has_log_level && options.log.level == "info";
    QV_CHECK(start_logging(is_quiet ? "warn" : options.log.level));
    return std::unique_ptr<Session>(new Session(std::move(options), environment));
  }

  Options options;
  Environment environment;
  fs::path program = program_path();
  StopSwitch stop;

 private:
  Mutex mutex_;
  std::optional<Error> refusal_ QV_GUARDED_BY(mutex_);

 public:
  Node node;

  /// What became of the command: that the cluster does not take this server counts for more.
  ExitCode finish_serving(const Status& status) {
    const MutexLock lock(mutex_);
    return finish(refusal_ ? Status(*refusal_) : status);
  }

 private:
  Session(Options loaded, Environment variables)
      : options(std::move(loaded)),
        environment(std::move(variables)),
        node(options, environment,
             local_engine(options, program.parent_path(),
                          [this](const Error& error) {
                            {
                              const MutexLock lock(mutex_);
                              refusal_ = error;
                            }
                            stop.fire();
                          })),
        signals_([this](int) { stop.fire(); }) {}

  StopSignals signals_;
};

/// Options that a client has to start this program with to find the same data.
std::vector<std::string> launch_options(const CommandLine& line, const Options& options) {
  std::vector<std::string> out;
  std::error_code ignored;
  if (line.config_file) {
    out.insert(out.end(), {"--config", fs::absolute(*line.config_file, ignored).string()});
  }
  Environment plain = process_environment();
  std::erase_if(plain, [](const auto& variable) { return variable.first.rfind("QV_", 0) == 0; });
  const auto defaults = load_options({std::nullopt, plain, {}});
  const std::string data_dir = fs::absolute(options.data_dir, ignored).string();
  if (!defaults.ok() || defaults->data_dir != data_dir) {
    out.insert(out.end(), {"--data", data_dir});
  }
  return out;
}

ExitCode run_serve(const CommandLine& line) {
  auto session = Session::open(line);
  if (!session.ok()) return fail(session.error().message, ExitCode::Usage);
  Session& s = **session;
  if (line.restore_map && !s.options.cluster.is_clustered()) {
    return fail("--restore-map: this server is in no cluster; see cluster.coordination",
                ExitCode::Usage);
  }
  return s.finish_serving(s.node.serve_http(s.stop, [&](const std::string& url) {
    write_stderr(connect_help(url, {s.program.string(), launch_options(line, s.options)}));
  }));
}

ExitCode run_mcp(const CommandLine& line) {
  // Before anything else: from here on nothing but the protocol can reach stdout.
  auto streams = claim_protocol_streams();
  if (!streams.ok()) return fail(streams.error().message);
  auto session = Session::open(line);
  if (!session.ok()) return fail(session.error().message, ExitCode::Usage);
  Session& s = **session;
  return s.finish_serving(s.node.serve_stdio(std::move(*streams), s.stop));
}

std::string summary(const ImportCounts& counts, const std::string& collection) {
  std::string out = std::to_string(counts.sources) + " files into " + collection + ": " +
                    std::to_string(counts.added) + " added, " + std::to_string(counts.replaced) +
                    " replaced, " + std::to_string(counts.unchanged) + " unchanged, " +
                    std::to_string(counts.removed) + " removed\n";
  for (const auto& problem : counts.skipped) out += "skipped " + problem + "\n";
  return out;
}

ExitCode run_import(const CommandLine& line) {
  auto session = Session::open(line);
  if (!session.ok()) return fail(session.error().message, ExitCode::Usage);
  Session& s = **session;
  CallContext call;
  call.cancel = CancelToken::make();
  s.stop.arm([&call] { call.cancel.cancel(); });
  ProgressLine progress(::isatty(STDERR_FILENO) == 1);
  const auto start = std::chrono::steady_clock::now();
  const auto counts =
      import_files(s.node.executor(), call, line.import_paths, line.import,
                   [&](std::uint64_t done, std::uint64_t total, const ImportCounts& so_far) {
                     progress.show(done, total, so_far);
                   });
  progress.finish();
  s.stop.disarm();
  s.node.executor().close();
  if (call.cancel.cancelled()) {
    return fail("interrupted; what was imported stays, run the import again to complete it");
  }
  if (!counts.ok()) return fail(counts.error().message);
  write_stderr(summary(*counts, line.import.collection));
  if (!line.json) return ExitCode::Ok;
  Json report = counts->to_json();
  report["collection"] = line.import.collection;
  report["seconds"] =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return finish(write_stdout(report.dump() + "\n"));
}

/// What a reader of the export should know; it is no part of the lines.
void tell_about_export(const ExportCounts& counts, const Result<Json>& info) {
  write_stderr(std::to_string(counts.points) + " points exported\n");
  if (info.ok() && info->contains("embedder")) {
    write_stderr("import into a new collection with --create --embedder " +
                 info->at("embedder").get<std::string>() + "\n");
  }
  if (counts.expiring > 0) {
    write_stderr(std::to_string(counts.expiring) +
                 " of them expire; JSONL does not say so, an import keeps them for ever\n");
  }
}

ExitCode run_export(const CommandLine& line) {
  auto session = Session::open(line);
  if (!session.ok()) return fail(session.error().message, ExitCode::Usage);
  Session& s = **session;
  CallContext call;
  call.cancel = CancelToken::make();
  s.stop.arm([&call] { call.cancel.cancel(); });
  std::string buffer;
  const auto write = [&](std::string_view text) -> Status {
    buffer += text;
    if (buffer.size() < kOutputBytes) return Done{};
    return write_stdout(std::exchange(buffer, ""));
  };
  const auto counts =
      export_points(s.node.executor(), call, line.export_collection, line.export_vectors, write);
  const auto info =
      s.node.executor().invoke(call, "collection_info", {{"collection", line.export_collection}});
  s.stop.disarm();
  s.node.executor().close();
  if (call.cancel.cancelled()) return fail("interrupted");
  if (!counts.ok()) return fail(counts.error().message);
  if (const Status status = write_stdout(buffer); !status.ok()) return finish(status);
  tell_about_export(*counts, info);
  return ExitCode::Ok;
}

ExitCode run_doctor(const CommandLine& line) {
  auto session = Session::open(line);
  std::vector<Finding> findings;
  if (session.ok()) {
    Session& s = **session;
    findings.push_back({Finding::Level::Ok, "configuration", "is sound", ""});
    for (auto& finding : diagnose(s.options, s.program.parent_path(), s.node.executor())) {
      findings.push_back(std::move(finding));
    }
    s.node.executor().close();
  } else {
    findings.push_back({Finding::Level::Fail, "configuration", session.error().message,
                        "correct it; config.yml lists every key"});
  }
  const Status written =
      write_stdout(line.json ? to_json(findings).dump() + "\n" : to_text(findings));
  if (!written.ok()) return finish(written);
  return has_failure(findings) ? ExitCode::Failed : ExitCode::Ok;
}

ExitCode run_dev(const CommandLine& line) {
  auto session = Session::open(line);
  if (!session.ok()) return fail(session.error().message, ExitCode::Usage);
  Session& s = **session;
  const bool named = std::any_of(line.settings.begin(), line.settings.end(),
                                 [](const auto& setting) { return setting.first == "data_dir"; });
  std::error_code ignored;
  const DevCluster wanted{line.dev_nodes,
                          fs::absolute(s.options.data_dir + (named ? "" : "-dev"), ignored),
                          s.program, s.options};
  return finish(run_dev_cluster(wanted, s.stop, write_stderr));
}

ExitCode run_cluster_init(const CommandLine& line) {
  auto session = Session::open(line);
  if (!session.ok()) return fail(session.error().message, ExitCode::Usage);
  Session& s = **session;
  CallContext call;
  call.cancel = CancelToken::make();
  s.stop.arm([&call] { call.cancel.cancel(); });
  const auto done = init_cluster(call, s.options, write_stderr);
  s.stop.disarm();
  if (call.cancel.cancelled() && !done.ok()) {
    return fail("interrupted; run `quiver cluster init` again to complete it");
  }
  return finish(done);
}

ExitCode run_version(const CommandLine& line) {
  const Json json{{"name", "quiver"}, {"version", QV_VERSION}};
  return finish(write_stdout(line.json ? json.dump() + "\n" : "quiver " QV_VERSION "\n"));
}

}  // namespace

ExitCode run_command(const CommandLine& line) {
  switch (line.command) {
    case Command::Serve: return run_serve(line);
    case Command::Mcp: return run_mcp(line);
    case Command::Import: return run_import(line);
    case Command::Export: return run_export(line);
    case Command::Doctor: return run_doctor(line);
    case Command::Dev: return run_dev(line);
    case Command::ClusterInit: return run_cluster_init(line);
    case Command::Version: break;
  }
  return run_version(line);
}

}  // namespace quiver::app
