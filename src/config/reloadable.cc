#include "config/reloadable.h"

namespace sternpost::config {

Result<void> check_reloadable(const MasterSlice& now, const MasterSlice& wanted) {
  const auto changed = [](const char* key) {
    return fail(ErrorClass::permanent,
                std::string(key) + " changed, which takes effect only after a restart");
  };
  if (wanted.state_directory != now.state_directory) return changed("state_directory");
  if (wanted.mail_directory != now.mail_directory) return changed("mailboxes.directory");
  if (wanted.deferred_directory != now.deferred_directory) return changed("spool.deferred_directory");
  if (wanted.mail_owner != now.mail_owner) return changed("mailboxes.owner");
  if (wanted.control_group != now.control_group) return changed("admin.control_group");
  if (wanted.uid_base != now.uid_base) return changed("sandbox.uid_base");
  if (wanted.weaker_sandbox != now.weaker_sandbox) return changed("sandbox.mode");
  return {};
}

}  // namespace sternpost::config
