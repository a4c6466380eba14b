#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "embedding/options.h"
#include "embedding/provider.h"

namespace quiver::embedding {

/// The providers of a node, by name. Making it loads no model.
///
/// Threads: any; unchanged after construction.
class Providers {
 public:
  /// `program_dir`: directory of the running program, where model files are looked for by default.
  Providers(const Options& options, const std::filesystem::path& program_dir);

  /// Errors: InvalidArgument naming the providers there are.
  Result<Provider*> find(std::string_view name) const;
  const std::string& default_name() const noexcept { return default_name_; }
  std::vector<std::string> names() const;

 private:
  std::string default_name_;
  std::map<std::string, std::unique_ptr<Provider>, std::less<>> providers_;
};

}  // namespace quiver::embedding
