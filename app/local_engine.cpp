#include "app/local_engine.h"

#include <utility>
#include <vector>

#include "app/export_page.h"
#include "cluster/local_collections.h"
#include "core/clock.h"
#include "core/log.h"
#include "embedding/providers.h"
#include "service/registry.h"

namespace quiver::app {
namespace {

service::Registry with_export(const service::Registry& catalogue) {
  std::vector<service::Operation> operations = catalogue.operations();
  const auto& internal = catalogue.internal_operations();
  operations.insert(operations.end(), internal.begin(), internal.end());
  operations.push_back(export_page_operation());
  return service::Registry(std::move(operations));
}

class LocalEngine final : public service::Executor {
 public:
  LocalEngine(const Options& options, const std::filesystem::path& program_dir)
      : collections_(options.data_dir, options.storage, clock_),
        providers_(options.embedding, program_dir),
        engine_{collections_, [this](std::string_view name) { return providers_.find(name); },
                providers_.default_name(), clock_, options.mcp.result_bytes},
        registry_(with_export(service::catalogue())),
        executor_(registry_, engine_) {}

  ~LocalEngine() override {
    collections_.close();
    QV_LOG_INFO("data_closed");
  }

  Result<Json> invoke(const CallContext& call, std::string_view operation,
                      const Json& arguments) override {
    return executor_.invoke(call, operation, arguments);
  }
  service::ChangeSubscription subscribe(service::ChangeListener listener) override {
    return executor_.subscribe(std::move(listener));
  }

 private:
  const SystemClock clock_;
  cluster::LocalCollections collections_;
  const embedding::Providers providers_;
  service::Engine engine_;
  const service::Registry registry_;
  service::LocalExecutor executor_;
};

}  // namespace

ExecutorFactory local_engine(const Options& options, const std::filesystem::path& program_dir) {
  return [options, program_dir]() -> Result<std::unique_ptr<service::Executor>> {
    QV_LOG_INFO("data_opened dir=\"{}\"", options.data_dir);
    return std::unique_ptr<service::Executor>(std::make_unique<LocalEngine>(options, program_dir));
  };
}

}  // namespace quiver::app
