#include "tool/removal.h"

namespace sternpost::tool {

Outcome<void> remove_discarded(spool::Engine& engine, spool::Disk& disk) {
  for (const auto id : engine.take_discarded()) {
    if (const auto removed = spool::remove_content(disk, id); !removed) {
      return failure(ExitStatus::failed,
                     "cannot remove " + spool::content_name(id) + ": " + removed.error().text);
    }
  }
  return {};
}

}  // namespace sternpost::tool
