#include "service/master/plan.h"

#include <sys/socket.h>

#include <array>

namespace sternpost {
namespace {

using enum Compartment;
using enum SyscallSet;

// One array for each cell that is not empty; spans in the rows point at them.
constexpr auto kConfigFolders = std::to_array<Grant>({{Place::configuration, FolderRight::read}});
constexpr auto kSpoolFolders =
    std::to_array<Grant>({{Place::spool, FolderRight::write}, {Place::deferred, FolderRight::write}});
constexpr auto kUsersFolders = std::to_array<Grant>({{Place::system_names, FolderRight::read}});
constexpr auto kVirtualFolders = std::to_array<Grant>({{Place::mail, FolderRight::write}});
constexpr auto kLogFolders = std::to_array<Grant>({{Place::log, FolderRight::write}});
constexpr auto kDnsFolders = std::to_array<Grant>({{Place::trust_anchor, FolderRight::read}});

constexpr auto kConfigCalls = std::to_array<SyscallSet>({memfd});
constexpr auto kAcceptCalls = std::to_array<SyscallSet>({accept});
constexpr auto kWriterCalls = std::to_array<SyscallSet>({read_files, write_files});
constexpr auto kSpoolCalls = std::to_array<SyscallSet>({read_files, write_files, threads});
constexpr auto kUsersCalls = std::to_array<SyscallSet>({read_files, name_service});
constexpr auto kDnsCalls = std::to_array<SyscallSet>({datagrams});

constexpr auto kInternet = std::to_array<std::uint16_t>({AF_INET, AF_INET6});

constexpr auto kSmtpdPeers = std::to_array<Compartment>({spool, router});
constexpr auto kSpoolPeers = std::to_array<Compartment>({smtpd, qmgr, virtual_mailbox, smtp, bounce, admin});
constexpr auto kQmgrPeers = std::to_array<Compartment>({spool, router, admin});
constexpr auto kRouterPeers = std::to_array<Compartment>({smtpd, qmgr, users, dns});
constexpr auto kUsersPeers = std::to_array<Compartment>({router});
constexpr auto kVirtualPeers = std::to_array<Compartment>({spool});
constexpr auto kAdminPeers = std::to_array<Compartment>({spool, qmgr});
constexpr auto kDnsPeers = std::to_array<Compartment>({router, smtp});
constexpr auto kSmtpPeers = std::to_array<Compartment>({spool, dns});
constexpr auto kBouncePeers = std::to_array<Compartment>({spool});

/// Sessions of a worker and what the process holds besides.
constexpr std::uint64_t kManyDescriptors = 65'536;

constexpr auto kPlan = std::to_array<Row>({
    {.self = master,
     .does = "binds ports, starts, confines, restarts and renews the rest; parses nothing from outside",
     .identity = Identity::root,
     .on_reload = OnReload::stays,
     .max_descriptors = kManyDescriptors},
    {.self = config,
     .does = "short-lived: parses the configuration, answers one sealed slice for each compartment",
     .folders = kConfigFolders,
     .calls = kConfigCalls,
     .on_reload = OnReload::stays},
    {.self = smtpd,
     .does = "SMTP server",
     .calls = kAcceptCalls,
     .peers = kSmtpdPeers,
     .smtp_listeners = true,
     .preforked = true,
     .max_descriptors = kManyDescriptors,
     .stop_order = 1},
    {.self = spool,
     .does = "owns the queue on disk; the only writer of it; the hub of content and outcomes",
     .folders = kSpoolFolders,
     .calls = kSpoolCalls,
     .peers = kSpoolPeers,
     .on_reload = OnReload::told,
     .max_descriptors = kManyDescriptors,
     .stop_order = 5},
    {.self = qmgr,
     .does = "what is delivered when; retries, limits, fairness",
     .peers = kQmgrPeers,
     .on_reload = OnReload::told,
     .stop_order = 2},
    {.self = router,
     .does = "which recipients are ours, and where each goes",
     .peers = kRouterPeers,
     // It may name next hops that only the agents of its own generation may connect to.
     .renewed_last = true,
     .max_descriptors = 4096,
     .stop_order = 4},
    {.self = users,
     .does = "answers name to uid, gids, home, exists; the only one that calls NSS",
     .empty_root = false,
     .folders = kUsersFolders,
     .calls = kUsersCalls,
     .peers = kUsersPeers,
     .stop_order = 4},
    {.self = virtual_mailbox,
     .does = "delivers to Maildirs that one uid owns",
     .identity = Identity::mail_owner,
     .folders = kVirtualFolders,
     .calls = kWriterCalls,
     .peers = kVirtualPeers,
     .max_descriptors = 4096,
     .stop_order = 3},
    {.self = log,
     .does = "takes structured records; writes files and history",
     .folders = kLogFolders,
     .calls = kWriterCalls,
     .on_reload = OnReload::told,
     .max_descriptors = 4096,
     .stop_order = 6},
    {.self = admin,
     .does = "the control socket",
     .calls = kAcceptCalls,
     .peers = kAdminPeers,
     .control_listener = true,
     .on_reload = OnReload::told,
     .stop_order = 4},
    {.self = dns,
     .does = "validating DNS with one cache",
     .folders = kDnsFolders,
     .calls = kDnsCalls,
     .socket_families = kInternet,
     .outbound = Outbound::dns,
     .peers = kDnsPeers,
     .max_descriptors = 4096,
     .stop_order = 4},
    {.self = smtp,
     .does = "SMTP and LMTP client",
     .socket_families = kInternet,
     .outbound = Outbound::smtp,
     .peers = kSmtpPeers,
     .max_descriptors = kManyDescriptors,
     .stop_order = 3},
    {.self = bounce, .does = "writes delivery status notifications", .peers = kBouncePeers, .stop_order = 4},
});

static_assert(kPlan.size() == kCompartments);

/// Every channel stands in both rows, and rows stand in the order of Compartment.
constexpr bool consistent() {
  for (std::size_t i = 0; i < kPlan.size(); ++i) {
    if (static_cast<std::size_t>(kPlan[i].self) != i) return false;
    for (const auto peer : kPlan[i].peers) {
      bool returned = false;
      for (const auto back : kPlan[static_cast<std::size_t>(peer)].peers) returned |= back == kPlan[i].self;
      if (!returned) return false;
    }
  }
  return true;
}
static_assert(consistent());

}  // namespace

std::string_view to_string(Place place) {
  switch (place) {
    case Place::spool:
      return "the spool folder";
    case Place::deferred:
      return "the deferred folder";
    case Place::mail:
      return "the mail folder";
    case Place::log:
      return "the log folder";
    case Place::system_names:
      return "/etc";
    case Place::configuration:
      return "the configuration file";
    case Place::trust_anchor:
      return "the trust anchor";
  }
  return "";
}

std::span<const Row> plan() {
  return kPlan;
}

const Row& plan_row(Compartment self) {
  return kPlan[static_cast<std::size_t>(self)];
}

}  // namespace sternpost
