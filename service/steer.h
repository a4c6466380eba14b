#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/call_context.h"
#include "service/engine.h"

/// What operations share: finding the collection and its embedder, and refusals that say what to do
/// instead.
namespace quiver::service {

/// Where memories go when a request names no collection. Made at the first memory_store.
inline constexpr std::string_view kDefaultCollection = "memory";

/// What a reply may cost.
std::size_t reply_tokens(const Engine& engine) noexcept;

/// The collection, or null if it is the default one and nothing has been stored in it yet.
///
/// Errors: NotFound for any other.
Result<std::shared_ptr<cluster::Collection>> find_memories(Engine& engine, std::string_view name);

/// What turns text into the vectors of `collection`.
///
/// Errors: FailedPrecondition if it holds ready-made vectors, or if the embedder that it was made
/// with is not to be had here.
Result<embedding::Provider*> embedder_of(const Engine& engine,
                                         const cluster::Collection& collection);

/// `collection "docs" needs 384 (embedder minilm)`, to end a sentence about a wrong dimension.
std::string needed_dimension(const CollectionSpec& spec);

/// For an answer that came back empty: whether the filter asks for a field that no point has.
/// Nothing is said about negated conditions and $exists, which fields that are not there satisfy.
///
/// Errors: InvalidArgument naming the unknown fields and those there are.
Status check_filter_fields(const CallContext& call, cluster::Collection& collection,
                           const std::optional<Filter>& filter);

/// Tells of a write to the points of `collection`: of one that changed some, and of one that failed
/// in a way that leaves open whether it did.
void tell_of_write(const Engine& engine, const std::string& collection,
                   const Result<MutationResult>& outcome);

}  // namespace quiver::service
