#include "runtime/sandbox.h"

#include <cap-ng.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "runtime/landlock.h"
#include "runtime/seccomp_filter.h"

namespace sternpost {
namespace {

/// Lowers a limit; one that is lower already stays.
Result<void> limit(__rlimit_resource resource, rlim_t value, const char* name) {
  rlimit both{};
  if (::getrlimit(resource, &both) != 0) return fail_errno(name);
  both.rlim_max = std::min(both.rlim_max, value);
  both.rlim_cur = both.rlim_max;
  if (::setrlimit(resource, &both) != 0) return fail_errno(name);
  return {};
}

Result<void> apply_limits(const Confinement& confinement) {
  if (auto done = limit(RLIMIT_CORE, 0, "forbidding core dumps"); !done) return done;
  if (auto done = limit(RLIMIT_NOFILE, confinement.max_descriptors, "limiting descriptors"); !done)
    return done;
  return {};
}

Result<void> leave_root_directory(const Confinement& confinement, int empty_root) {
  if (!confinement.empty_root) return {};
  if (::fchdir(empty_root) != 0 || ::chroot(".") != 0) return fail_errno("entering the empty root directory");
  return {};
}

/// Groups, capabilities and uid, in the order that keeps each step possible.
Result<void> become_user(const Confinement& confinement) {
  if (::setgroups(0, nullptr) != 0) return fail_errno("dropping supplementary groups");
  capng_clear(CAPNG_SELECT_ALL);
  for (const auto set : {CAPNG_EFFECTIVE, CAPNG_PERMITTED}) {
    capng_update(CAPNG_ADD, set, CAP_SETUID);
    capng_update(CAPNG_ADD, set, CAP_SETGID);
  }
  if (capng_apply(CAPNG_SELECT_ALL) != 0) return fail(ErrorClass::internal, "dropping the capability bounds");
  if (::setresgid(confinement.gid, confinement.gid, confinement.gid) != 0)
    return fail_errno("taking the gid");
  if (::setresuid(confinement.uid, confinement.uid, confinement.uid) != 0)
    return fail_errno("taking the uid");
  capng_clear(CAPNG_SELECT_CAPS);
  if (capng_apply(CAPNG_SELECT_CAPS) != 0) return fail(ErrorClass::internal, "dropping capabilities");
  if (::setresuid(0, 0, 0) == 0) return fail(ErrorClass::internal, "root could be taken back");
  return {};
}

Result<void> forbid_privileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno("setting no_new_privs");
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return fail_errno("forbidding dumps");
  // Set last, for a change of uid clears it: master's end ends all.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return fail_errno("binding to master's life");
  return {};
}

/// ABI 1 forbids every rename between folders, without which nothing can be delivered.
int least_landlock_abi(const Confinement& confinement) {
  const bool writes = std::ranges::any_of(
      confinement.folders, [](const Folder& folder) { return folder.right == FolderRight::write; });
  return writes ? 2 : 1;
}

}  // namespace

Result<std::vector<std::string>> confine(const Confinement& confinement,
                                         const ConfinementDescriptors& descriptors) {
  std::vector<std::string> layers;
  if (auto done = apply_limits(confinement); !done) return fail_with(std::move(done));
  if (confinement.change_user) {
    if (auto done = leave_root_directory(confinement, descriptors.empty_root); !done) {
      return fail_with(std::move(done));
    }
    if (auto done = become_user(confinement); !done) return fail_with(std::move(done));
    layers.emplace_back("uid");
    if (confinement.empty_root) layers.emplace_back("root");
  }
  if (auto done = forbid_privileges(); !done) return fail_with(std::move(done));

  const int abi = landlock_abi();
  if (abi >= least_landlock_abi(confinement)) {
    if (auto done = apply_landlock(confinement.folders, descriptors.folders, confinement.tcp_connect_ports,
                                   confinement.tcp_sources);
        !done) {
      return fail_with(std::move(done));
    }
    layers.push_back("landlock " + std::to_string(abi));
  } else if (!confinement.weaker) {
    return fail(
        ErrorClass::permanent,
        "this kernel has no Landlock that serves; boot one that has (5.19 and later, lsm=landlock), or "
        "set sandbox.mode = \"weaker\"");
  }
  if (auto done = apply_seccomp(confinement); !done) {
    if (!confinement.weaker) return fail_with(std::move(done));
  } else {
    layers.emplace_back("seccomp");
  }
  return layers;
}

std::vector<std::string> available_layers(const Confinement& confinement) {
  std::vector<std::string> layers;
  if (::geteuid() == 0) layers.insert(layers.end(), {"uid", "root"});
  if (const int abi = landlock_abi(); abi >= least_landlock_abi(confinement))
    layers.push_back("landlock " + std::to_string(abi));
  if (::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0) layers.emplace_back("seccomp");
  return layers;
}

}  // namespace sternpost
