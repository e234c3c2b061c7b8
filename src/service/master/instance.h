// What master prepares before it starts anyone: the folders of the instance, its lock, its listening sockets.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "config/slices.h"
#include "service/master/plan.h"

namespace sternpost {

/// The uid and gid of a row. Without root everything is the caller's own.
struct Owner {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

/// The folders of one instance, opened once; owned by the compartments that the plan names.
class InstanceFolders {
 public:
  /// Creates what is missing and takes the locks: of the instance, and of the queue's folders. Refused where
  /// another instance holds one, or a command that works on the queue for longer than five seconds.
  static Result<InstanceFolders> open(const config::MasterSlice& slice, bool as_root);

  /// A descriptor of the folder, borrowed; -1 for the files that are opened at each reading of the
  /// configuration: Place::configuration and Place::trust_anchor.
  [[nodiscard]] int descriptor(Place place) const;
  [[nodiscard]] Owner mail_owner() const { return mail_owner_; }

 private:
  UniqueFd lock_, spool_, log_, mail_, system_names_;
  UniqueFd deferred_;  ///< where it is not the spool folder
  Owner mail_owner_;
};

/// A directory without entries and without a name: nothing can ever be put into it. The root of the confined.
Result<UniqueFd> open_nameless_directory();

/// The identity that a row takes.
Owner owner_of(const Row& row, std::uint32_t uid_base, Owner mail_owner);

/// The listening SMTP sockets, kept across reloads so that none is closed in between.
class SmtpListeners {
 public:
  /// The sockets for `wanted`: those that are open already are shared, the others are opened.
  [[nodiscard]] Result<SmtpListeners> reopened(const std::vector<config::Listener>& wanted) const;
  [[nodiscard]] std::vector<int> descriptors() const;
  /// "127.0.0.1:2525 [::1]:2525"
  [[nodiscard]] std::string text() const;

 private:
  std::map<std::pair<std::string, std::uint16_t>, UniqueFd> sockets_;
};

struct ControlSocket {
  UniqueFd listener;
  std::optional<std::uint32_t> group;  ///< gid of the group that may use it, where there is one
};

/// The control socket in the run folder: bound, listening, for root, the caller and `group`, which is a name,
/// a gid or empty.
Result<ControlSocket> open_control_socket(const std::string& run_folder, const std::string& group,
                                          Owner admin);

}  // namespace sternpost
