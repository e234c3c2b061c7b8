// The control socket: what `sternpost` asks of a running instance. The peer is judged by its credentials
// (root, the user who started the instance, and the group `control_group`): every request of another is
// answered by Done, which says so. Garbage ends the connection.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "runtime/control_protocol.h"
#include "service/qmgr/protocol.h"
#include "service/spool/admin_protocol.h"

namespace sternpost::admin {

inline constexpr std::size_t kMaxFrame = 5 * 1024 * 1024;

struct Status {
  std::uint8_t unused = 0;
  static constexpr auto fields() { return std::tuple(&Status::unused); }
};

enum class Command : unsigned char { stop, reload };

/// Answered by Done: for reload when the new generation runs, for stop when stopping has begun.
struct Run {
  Command command = Command::stop;
  static constexpr auto fields() { return std::tuple(&Run::command); }
};

/// One request at a time on a connection; `request` and `uid` inside are ignored.
using Request =
    std::variant<Status, Run, spool_admin::List, spool_admin::Show, spool_admin::Act, qmgr::Flush>;

/// What a compartment that is away would have said is not there.
struct StatusReply {
  std::vector<control::ProcessStatus> processes;
  std::uint32_t left_out = 0;             ///< processes beyond what master can say at once
  std::optional<std::uint64_t> messages;  ///< in the queue, as spool counts them
  std::optional<qmgr::Counts> queue;      ///< those of them that qmgr holds in memory
  static constexpr auto fields() {
    return std::tuple(&StatusReply::processes, &StatusReply::left_out, &StatusReply::messages,
                      &StatusReply::queue);
  }
};

/// `refused` is empty when it was done, and otherwise says why not.
struct Done {
  std::string refused;
  static constexpr auto fields() { return std::tuple(&Done::refused); }
};

using Reply = std::variant<StatusReply, Done, spool_admin::Listed, spool_admin::Shown, spool_admin::Acted,
                           qmgr::Flushed>;

}  // namespace sternpost::admin

namespace sternpost {
template <>
inline constexpr unsigned kEnumBound<admin::Command> = 2;
}
