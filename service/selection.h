#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/executor.h"
#include "service/operation.h"
#include "service/registry.h"

/// Which operations a process offers: what a person may decide, and how it is held to.
namespace quiver::service {

/// What is decided about one operation.
struct Choice {
  /// false hides it, true shows it though its toolset is not among the chosen.
  std::optional<bool> enabled;
  /// Takes the place of its own.
  std::optional<std::string> description;
};

inline constexpr std::size_t kToolDescriptionBytesMax = 2048;

struct Selection {
  std::vector<Toolset> toolsets{Toolset::Memory, Toolset::Collection, Toolset::Vector};
  /// Nothing that writes is offered, whatever else is chosen.
  bool read_only = false;
  /// By name of the operation.
  std::map<std::string, Choice> tools;
};

/// Those of `all` that are chosen, as surfaces show them; it can say of the others why it lacks
/// them. Operations that no surface shows stay.
///
/// Errors: InvalidArgument for a choice about an operation that is not there, an empty or too long
/// description, or a toolset without operations.
Result<Registry> select(const Registry& all, const Selection& selection);

/// Stands between the surfaces of a process and what carries out its calls: refuses writes that
/// read_only or a choice takes away, whichever surface asks. Toolsets only decide what is shown,
/// and so does all of a selection for reading, which surfaces also do for themselves.
///
/// Threads: any. Borrows both.
class SelectedExecutor final : public Executor {
 public:
  SelectedExecutor(const Registry& selected, Executor& inner)
      : selected_(selected), inner_(inner) {}

  /// Errors: beside those of the inner one, PermissionDenied naming the setting.
  Result<Json> invoke(const CallContext& call, std::string_view operation,
                      const Json& arguments) override;
  ChangeSubscription subscribe(ChangeListener listener) override {
    return inner_.subscribe(std::move(listener));
  }
  void follow() override { inner_.follow(); }

 private:
  const Registry& selected_;
  Executor& inner_;
};

template <>
struct EnumNames<Toolset> {
  static constexpr std::array<std::pair<Toolset, std::string_view>, 5> kNames{{
      {Toolset::Memory, "memory"},
      {Toolset::Collection, "collection"},
      {Toolset::Vector, "vector"},
      {Toolset::Cluster, "cluster"},
      {Toolset::Recovery, "recovery"},
  }};
};

/// "memory" for Toolset::Memory.
std::string_view name_of(Toolset toolset) noexcept;

}  // namespace quiver::service
