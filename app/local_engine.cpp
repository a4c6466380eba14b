#include "app/local_engine.h"

#include <chrono>
#include <utility>
#include <vector>

#include "app/export_page.h"
#include "app/http_client.h"
#include "cluster/admin/lone_admin.h"
#include "cluster/cluster_node.h"
#include "cluster/local_collections.h"
#include "core/clock.h"
#include "core/log.h"
#include "embedding/providers.h"
#include "service/operations/node_status.h"
#include "service/registry.h"

namespace quiver::app {
namespace {

// A call that comes before the server has joined its cluster waits so long for that.
constexpr std::chrono::seconds kJoinPatience{5};

service::Registry with_export(const service::Registry& catalogue) {
  std::vector<service::Operation> operations = catalogue.operations();
  const auto& internal = catalogue.internal_operations();
  operations.insert(operations.end(), internal.begin(), internal.end());
  operations.push_back(export_page_operation());
  return service::Registry(std::move(operations));
}

/// Operations over one kind of collections.
class Operations {
 public:
  Operations(cluster::Collections& collections, cluster::ClusterAdmin& admin,
             const Options& options, const std::filesystem::path& program_dir, const Clock& clock)
      : providers_(options.embedding, program_dir),
        engine_{collections,
                [this](std::string_view name) { return providers_.find(name); },
                providers_.default_name(),
                clock,
                options.mcp.result_bytes,
                {},
                &admin},
        registry_(with_export(service::catalogue())),
        executor_(registry_, engine_) {}

  service::LocalExecutor& executor() noexcept { return executor_; }
  bool is_read(std::string_view name) const {
    const auto* const operation = registry_.find(name);
    const auto* const known = operation != nullptr ? operation : registry_.find_internal(name);
    return known != nullptr && known->access == service::Access::Read;
  }

 private:
  const embedding::Providers providers_;
  service::Engine engine_;
  const service::Registry registry_;
  service::LocalExecutor executor_;
};

class LocalEngine final : public service::Executor {
 public:
  LocalEngine(const Options& options, const std::filesystem::path& program_dir)
      : collections_(options.data_dir, options.storage, clock_),
        admin_([this] { return collections_.view(); }),
        operations_(collections_, admin_, options, program_dir, clock_) {}

  ~LocalEngine() override {
    collections_.close();
    QV_LOG_INFO("data_closed");
  }

  Result<Json> invoke(const CallContext& call, std::string_view operation,
                      const Json& arguments) override {
    return operations_.executor().invoke(call, operation, arguments);
  }
  service::ChangeSubscription subscribe(service::ChangeListener listener) override {
    return operations_.executor().subscribe(std::move(listener));
  }

 private:
  const SystemClock clock_{};
  cluster::LocalCollections collections_;
  cluster::LoneAdmin admin_;
  Operations operations_;
};

class ClusterEngine final : public service::Executor {
 public:
  /// Errors: those of cluster::ClusterNode::start().
  static Result<std::unique_ptr<service::Executor>> start(
      const Options& options, const std::filesystem::path& program_dir,
      const std::function<void(const Error&)>& refused) {
    std::unique_ptr<ClusterEngine> out(new ClusterEngine);
    const auto& cluster = options.cluster;
    HttpClientOptions http;
    http.tls = {cluster.tls_ca, cluster.tls_certificate, cluster.tls_key};
    QV_TRY(out->http_, make_http_client(http));
    cluster::ClusterNode::Settings settings;
    settings.data_dir = options.data_dir;
    settings.cluster = cluster;
    settings.http_address = http_address(options);
    settings.storage = options.storage;
    settings.restore_map = options.restore_map;
    QV_TRY(out->node_,
           cluster::ClusterNode::start(std::move(settings), *out->http_, out->clock_, refused));
    out->operations_ = std::make_unique<Operations>(*out->node_, out->node_->admin(), options,
                                                    program_dir, out->clock_);
    return std::unique_ptr<service::Executor>(std::move(out));
  }

  ~ClusterEngine() override {
    if (!node_) return;
    node_->close();
    QV_LOG_INFO("data_closed");
  }

  Result<Json> invoke(const CallContext& call, std::string_view operation,
                      const Json& arguments) override {
    wait(call, operation);
    return operations_->executor().invoke(call, operation, arguments);
  }
  service::ChangeSubscription subscribe(service::ChangeListener listener) override {
    return operations_->executor().subscribe(std::move(listener));
  }

 private:
  ClusterEngine() = default;

  /// Reads need less than what changes something.
  void wait(const CallContext& call, std::string_view operation) {
    if (operation == service::kNodeStatus) return;
    if (operations_->is_read(operation)) {
      node_->wait_home(call, kJoinPatience);
    } else {
      node_->wait_joined(call, kJoinPatience);
    }
  }

  /// Where others reach MCP and REST of this server.
  static std::string http_address(const Options& options) {
    const auto& host = options.server.host;
    const bool everywhere = host == "0.0.0.0" || host == "::";
    const auto& advertised = options.cluster.advertise_host;
    const auto& outside = advertised.empty() ? options.cluster.host : advertised;
    return cluster::host_and_port(everywhere ? outside : host, options.server.port);
  }

  const SystemClock clock_{};
  std::unique_ptr<HttpClient> http_;
  std::unique_ptr<cluster::ClusterNode> node_;
  std::unique_ptr<Operations> operations_;
};

}  // namespace

ExecutorFactory local_engine(const Options& options, const std::filesystem::path& program_dir,
                             std::function<void(const Error&)> refused) {
  return [options, program_dir,
          refused = std::move(refused)]() -> Result<std::unique_ptr<service::Executor>> {
    QV_LOG_INFO("data_opened dir=\"{}\"", options.data_dir);
    if (options.cluster.is_clustered()) return ClusterEngine::start(options, program_dir, refused);
    return std::unique_ptr<service::Executor>(std::make_unique<LocalEngine>(options, program_dir));
  };
}

}  // namespace quiver::app
