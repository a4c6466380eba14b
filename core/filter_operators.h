#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/filter.h"
#include "core/json.h"
#include "core/result.h"

/// What the parser of filters knows about single operators. Included by core/filter_*.cpp only.
///
/// `where` names the place of an operand, as in "filter.year.$gte", and begins every message.
/// Threads: pure functions.
namespace quiver::filter_grammar {

/// Stand around filters.
inline constexpr std::string_view kCombiners = "$and $or $nor $not";
/// Stand inside fields.
inline constexpr std::string_view kOperators =
    "$eq $ne $gt $gte $lt $lte $in $nin $exists $prefix $not";

/// Whether `list`, words with blanks between them, has `word`.
bool is_word_of(std::string_view list, std::string_view word);

Error invalid(const std::string& where, std::string_view what);
/// Says what to write instead, as far as `name` tells; `known` is one of the lists above.
Error unknown_operator(const std::string& where, std::string_view name, std::string_view known);
/// A key of the client's as a part of a place or message: long ones are cut.
std::string shown(std::string_view key);
std::string in_quotes(std::string_view text);

Filter::Node negate(Filter::Node node);

/// What `{path: operand}` means for an operand that is no object.
Result<Filter::Node> parse_equal(const std::string& where, const std::vector<std::string>& path,
                                 const Json& operand);
/// What `{path: {name: operand}}` means for every operator but $not.
Result<Filter::Node> parse_operator(const std::string& where, const std::vector<std::string>& path,
                                    std::string_view name, const Json& operand);

}  // namespace quiver::filter_grammar
