// The plan: one row for each compartment, and the only place where a right is granted. docs/architecture.md
// section 2 shows the same table to people; a test compares the two.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/compartment.h"
#include "runtime/sandbox.h"

namespace sternpost {

/// Folders and files that master opens for its children.
enum class Place : unsigned char {
  spool,          ///< STATE/spool
  deferred,       ///< that of spool.deferred_directory, often the same
  mail,           ///< the mail directory
  log,            ///< STATE/log
  system_names,   ///< /etc, where passwd is replaced by renaming and so cannot be granted as a file
  configuration,  ///< the configuration file
  trust_anchor,   ///< the file of dns.trust_anchor
};

/// "the spool folder", as people call it.
std::string_view to_string(Place place);

struct Grant {
  Place place;
  FolderRight right;
};

enum class Identity : unsigned char {
  root,        ///< master alone
  own,         ///< a uid of the compartment's own: uid_base and the row's number
  mail_owner,  ///< the uid that owns the Maildirs
};

/// Whom a compartment connects to over the network, which decides the TCP ports that it may use.
enum class Outbound : unsigned char {
  nobody,
  dns,   ///< port 53, or those of dns.servers
  smtp,  ///< port 25, or smtp_client.mx_port, and those of the next hops
};

/// What a reload of the configuration does to a running compartment.
enum class OnReload : unsigned char {
  stays,    ///< master and config, which are not reloaded
  renewed,  ///< a fresh process takes over, the old one drains
  told,     ///< it takes a new slice on its control channel
};

struct Row {
  Compartment self;
  std::string_view does;
  Identity identity = Identity::own;
  bool empty_root = true;
  std::span<const Grant> folders = {};
  std::span<const SyscallSet> calls = {};
  std::span<const std::uint16_t> socket_families = {};
  Outbound outbound = Outbound::nobody;  ///< with a socket family
  /// Peers besides master and log, each channel named in both rows.
  std::span<const Compartment> peers = {};
  bool smtp_listeners = false;
  bool control_listener = false;
  bool preforked = false;  ///< as many processes as smtp.workers
  OnReload on_reload = OnReload::renewed;
  bool renewed_last = false;  ///< when all others of the generation are ready
  std::uint64_t max_descriptors = 256;
  /// In which order compartments drain at stop; those with a lower number have ended before.
  unsigned stop_order = 0;
};

/// The uid of config before any configuration is known; the default of sandbox.uid_base.
inline constexpr std::uint32_t kDefaultUidBase = 70'000;

/// All rows, in the order of Compartment.
std::span<const Row> plan();
const Row& plan_row(Compartment self);

/// The cells of a row as docs/architecture.md writes them.
std::string identity_text(const Row& row);
std::string files_text(const Row& row);
std::string network_text(const Row& row);

/// Layers of confinement as control::Ready names them.
using Layers = std::vector<std::string>;
using RunningLayers = std::map<Compartment, Layers>;

/// What `sternpost show plan` prints: the table with, for each right, the layer that holds it: in the running
/// instance whose layers these are, or, without one (null), if this process's user started one here.
std::string plan_text(bool json, const RunningLayers* running);

}  // namespace sternpost
