#pragma once

#include <array>
#include <string>
#include <string_view>

namespace quiver::mcp {

/// Legacy revisions open with a handshake (initialize); modern ones say everything in each request.
enum class Era { Legacy, Modern };

/// A revision of MCP, by what a server has to do differently under it.
///
/// Source: modelcontextprotocol.io, schema.ts and changelog of each revision.
struct Revision {
  std::string_view version;
  Era era;
  /// A batch of messages must be taken.
  bool batches;
  /// Tools carry hints on what a call may do.
  bool tool_annotations;
  /// Tools and the server carry a title.
  bool titles;
  /// Tools carry an outputSchema, and their results structuredContent.
  bool structured_content;
  /// The server may describe itself in a sentence.
  bool server_description;
  /// notifications/progress may carry a message.
  bool progress_message;
  /// Content may be audio, and the server says whether it completes arguments.
  bool audio;
  /// Content may be a resource_link; whatever is listed may carry _meta and say when it was last
  /// modified.
  bool resource_links;
  /// Whatever is listed may carry icons.
  bool icons;
};

/// Oldest first. 2026-07-28 adds to every result resultType and the server's name, and to lists how
/// long they may be kept: that is what Era::Modern means to an encoder.
inline constexpr std::array<Revision, 5> kRevisions{{
    {.version = "2024-11-05",
     .era = Era::Legacy,
     .batches = false,
     .tool_annotations = false,
     .titles = false,
     .structured_content = false,
     .server_description = false,
     .progress_message = false,
     .audio = false,
     .resource_links = false,
     .icons = false},
    {.version = "2025-03-26",
     .era = Era::Legacy,
     .batches = true,
     .tool_annotations = true,
     .titles = false,
     .structured_content = false,
     .server_description = false,
     .progress_message = true,
     .audio = true,
     .resource_links = false,
     .icons = false},
    {.version = "2025-06-18",
     .era = Era::Legacy,
     .batches = false,
     .tool_annotations = true,
     .titles = true,
     .structured_content = true,
     .server_description = false,
     .progress_message = true,
     .audio = true,
     .resource_links = true,
     .icons = false},
    {.version = "2025-11-25",
     .era = Era::Legacy,
     .batches = false,
     .tool_annotations = true,
     .titles = true,
     .structured_content = true,
     .server_description = true,
     .progress_message = true,
     .audio = true,
     .resource_links = true,
     .icons = true},
    {.version = "2026-07-28",
     .era = Era::Modern,
     .batches = false,
     .tool_annotations = true,
     .titles = true,
     .structured_content = true,
     .server_description = true,
     .progress_message = true,
     .audio = true,
     .resource_links = true,
     .icons = true},
}};

/// Null if this server does not know the version.
const Revision* find_revision(std::string_view version) noexcept;

/// Its place in kRevisions.
std::size_t index_of(const Revision& revision) noexcept;

/// What an initialize for `requested` is answered with: the same if it is a legacy revision, else
/// the newest of those.
const Revision& negotiate(std::string_view requested) noexcept;

/// What a legacy peer speaks that has not said so: the last revision that did not make it say.
const Revision& assumed_revision() noexcept;

/// The versions of one era, newest first, as in "2025-11-25, 2025-06-18".
std::string version_list(Era era);

}  // namespace quiver::mcp
