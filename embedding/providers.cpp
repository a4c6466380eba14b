#include "embedding/providers.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "embedding/minilm/minilm_provider.h"

namespace quiver::embedding {

Providers::Providers(const Options& options, const std::filesystem::path& program_dir)
    : default_name_(options.default_provider) {
  const auto model_dir = options.model_dir.empty() ? program_dir / "models" / "minilm"
                                                   : std::filesystem::path(options.model_dir);
  const std::size_t threads =
      options.threads != 0 ? options.threads : std::max(std::thread::hardware_concurrency(), 1U);
  auto minilm = std::make_unique<minilm::MiniLmProvider>(model_dir, threads, options.cache_bytes);
  std::string name(minilm->name());
  providers_.emplace(std::move(name), std::move(minilm));
}

Result<Provider*> Providers::find(std::string_view name) const {
  const auto found = providers_.find(name);
  if (found != providers_.end()) return found->second.get();
  std::string known;
  for (const auto& [each, unused] : providers_) known += (known.empty() ? "" : ", ") + each;
  return Error{ErrorCode::InvalidArgument,
               "no embedding provider \"" + std::string(name) + "\"; there are: " + known};
}

std::vector<std::string> Providers::names() const {
  std::vector<std::string> names;
  for (const auto& [name, unused] : providers_) names.push_back(name);
  return names;
}

}  // namespace quiver::embedding
