// How `sternpost show plan` presents the plan.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <optional>
#include <vector>

#include "runtime/sandbox.h"
#include "service/master/confinement.h"
#include "service/master/plan.h"

namespace sternpost {
namespace {

struct Cell {
  std::string name;
  std::string right;   ///< what the row grants
  std::string holder;  ///< the layer that keeps it to that
};

bool holds(const Layers& layers, std::string_view layer) {
  return std::ranges::find(layers, layer) != layers.end();
}

constexpr std::string_view kLandlock = "landlock ";

/// "landlock 7", or nothing.
std::string landlock_of(const Layers& layers) {
  const auto found =
      std::ranges::find_if(layers, [](const std::string& layer) { return layer.starts_with(kLandlock); });
  return found == layers.end() ? "" : *found;
}

/// Whether this version of Landlock restricts TCP, which the fourth was the first to do.
bool holds_ports(std::string_view landlock) {
  if (landlock.empty()) return false;
  unsigned version = 0;
  std::from_chars(landlock.data() + kLandlock.size(), landlock.data() + landlock.size(), version);
  return version >= 4;
}

std::string peers_of(const Row& row) {
  std::string text;
  for (const auto peer : row.peers) {
    if (!text.empty()) text += ' ';
    text += to_string(peer);
  }
  return text;
}

std::string joined(std::initializer_list<std::string> layers) {
  std::string text;
  for (const auto& layer : layers) {
    if (layer.empty()) continue;
    if (!text.empty()) text += " + ";
    text += layer;
  }
  return text.empty() ? "nothing" : text;
}

std::vector<Cell> cells_of(const Row& row, const Layers& layers) {
  const bool is_master = row.self == Compartment::master;
  const bool own_uid = holds(layers, "uid");
  const std::string root = holds(layers, "root") && row.empty_root ? "empty root" : "";
  const auto landlock = landlock_of(layers);
  const std::string filter = holds(layers, "seccomp") ? "seccomp" : "";
  const std::string identity = own_uid ? "setresuid, no capabilities" : "nothing: as who started it";
  return {
      {"uid", identity_text(row), is_master ? "" : identity},
      {"files", files_text(row), joined({root, landlock, filter})},
      {"network", network_text(row), joined({holds_ports(landlock) ? landlock : "", filter})},
      {"fork, exec", is_master ? "starts the rest" : "none", joined({filter})},
      {"talks to", peers_of(row), is_master ? "" : "descriptors from master"},
  };
}

/// What would confine this row, were an instance started by this process.
Layers layers_if_started_here(const Row& row) {
  if (row.self != Compartment::master)
    return available_layers(confinement_of(row, ::geteuid() == 0, kDefaultUidBase, {}, true));
  return ::geteuid() == 0 ? Layers{"root"} : Layers{};
}

/// Nothing for a row without a running process.
std::optional<Layers> layers_of(const Row& row, const RunningLayers* running) {
  if (running == nullptr) return layers_if_started_here(row);
  const auto found = running->find(row.self);
  return found == running->end() ? std::nullopt : std::optional(found->second);
}

constexpr std::string_view kNotRunning = "not running now";

std::string as_json(const RunningLayers* running) {
  boost::json::array rows;
  for (const auto& row : plan()) {
    const auto layers = layers_of(row, running);
    boost::json::array cells;
    for (const auto& cell : cells_of(row, layers.value_or(Layers{}))) {
      cells.push_back({{"name", cell.name},
                       {"right", cell.right},
                       {"held_by", layers ? cell.holder : std::string(kNotRunning)}});
    }
    rows.push_back({{"compartment", std::string(to_string(row.self))},
                    {"does", std::string(row.does)},
                    {"running", running != nullptr && layers.has_value()},
                    {"cells", std::move(cells)}});
  }
  return boost::json::serialize(rows) + "\n";
}

std::string as_text(const RunningLayers* running) {
  std::string text = running != nullptr
                         ? "What holds the compartments of the running instance, by their own word:\n"
                         : "No instance is running. What would hold the compartments if started by you:\n";
  for (const auto& row : plan()) {
    const auto layers = layers_of(row, running);
    text += fmt::format("{}: {}{}\n", to_string(row.self), row.does,
                        layers ? "" : fmt::format(" ({})", kNotRunning));
    for (const auto& cell : cells_of(row, layers.value_or(Layers{}))) {
      if (cell.right.empty()) continue;
      text += fmt::format("  {:<11} {:<48} {}\n", cell.name, cell.right,
                          cell.holder.empty() || !layers ? "" : "held by " + cell.holder);
    }
  }
  return text;
}

}  // namespace

std::string identity_text(const Row& row) {
  switch (row.identity) {
    case Identity::root:
      return "root";
    case Identity::own:
      return "own";
    case Identity::mail_owner:
      return "vmail";
  }
  return "";
}

std::string files_text(const Row& row) {
  if (row.self == Compartment::master) return "none after start";
  std::string text;
  for (const auto& grant : row.folders) {
    if (!text.empty()) text += ", ";
    text += to_string(grant.place);
    if (grant.right == FolderRight::read) text += ", read only";
  }
  return text.empty() ? "none" : text;
}

std::string network_text(const Row& row) {
  if (row.self == Compartment::master) return "binds, never reads";
  if (row.smtp_listeners) return "accepted sockets";
  if (row.control_listener) return "control socket";
  if (row.outbound == Outbound::dns) return "DNS only";
  if (row.outbound == Outbound::smtp) return "outbound";
  return "none";
}

std::string plan_text(bool json, const RunningLayers* running) {
  return json ? as_json(running) : as_text(running);
}

}  // namespace sternpost
