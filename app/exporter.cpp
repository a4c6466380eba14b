#include "app/exporter.h"

#include <exception>

namespace quiver::app {

Result<ExportCounts> export_points(service::Executor& executor, const CallContext& call,
                                   const std::string& collection, bool vectors,
                                   const std::function<Status(std::string_view line)>& write) {
  ExportCounts counts;
  Json request{{"collection", collection}, {"vectors", vectors}};
  while (true) {
    QV_CHECK(call.check());
    QV_TRY(const Json page, executor.invoke(call, "export_page", request));
    try {
      for (const auto& point : page.at("points")) {
        if (!vectors && !point.contains("text")) {
          return Error{ErrorCode::FailedPrecondition,
                       "point " + point.at("id").dump() +
                           " has no text, only a vector; export with --vectors"};
        }
        QV_CHECK(write(point.dump() + "\n"));
        ++counts.points;
      }
      counts.expiring += page.value("expiring", std::uint64_t{0});
      if (!page.contains("next")) return counts;
      request["after"] = page.at("next");
    } catch (const std::exception& problem) {
      return Error{ErrorCode::Internal,
                   std::string("export_page answered in an unexpected form: ") + problem.what()};
    }
  }
}

}  // namespace quiver::app
