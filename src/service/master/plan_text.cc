// How `sternpost show plan` presents the plan.

#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>

#include "runtime/landlock.h"
#include "service/master/plan.h"

namespace sternpost {
namespace {

struct Cell {
  std::string name;
  std::string right;   ///< what the row grants
  std::string holder;  ///< the layer that keeps it to that, here and now
};

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

std::string holder_of_identity(bool is_master, bool as_root) {
  if (!as_root) return "nothing: all run as the caller";
  return is_master ? "" : "setresuid, no capabilities";
}

std::vector<Cell> cells_of(const Row& row, bool as_root, int landlock) {
  const bool is_master = row.self == Compartment::master;
  const std::string root = as_root && row.empty_root ? "empty root" : "";
  const std::string files = landlock > 0 && !is_master ? fmt::format("landlock {}", landlock) : "";
  const std::string filter = is_master ? "" : "seccomp";
  return {
      {"uid", identity_text(row), holder_of_identity(is_master, as_root)},
      {"files", files_text(row), joined({root, files, filter})},
      {"network", network_text(row), joined({landlock >= 4 && !is_master ? files : "", filter})},
      {"fork, exec", is_master ? "starts the rest" : "none", joined({filter})},
      {"talks to", peers_of(row), is_master ? "" : "descriptors from master"},
  };
}

std::string as_json(bool as_root, int landlock) {
  boost::json::array rows;
  for (const auto& row : plan()) {
    boost::json::array cells;
    for (const auto& cell : cells_of(row, as_root, landlock)) {
      cells.push_back({{"name", cell.name}, {"right", cell.right}, {"held_by", cell.holder}});
    }
    rows.push_back({{"compartment", std::string(to_string(row.self))},
                    {"does", std::string(row.does)},
                    {"cells", std::move(cells)}});
  }
  return boost::json::serialize(rows) + "\n";
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
  return "none";
}

std::string plan_text(bool json) {
  const bool as_root = ::geteuid() == 0;
  const int landlock = landlock_abi();
  if (json) return as_json(as_root, landlock);
  std::string text;
  for (const auto& row : plan()) {
    text += fmt::format("{}: {}\n", to_string(row.self), row.does);
    for (const auto& cell : cells_of(row, as_root, landlock)) {
      if (cell.right.empty()) continue;
      text += fmt::format("  {:<11} {:<48} {}\n", cell.name, cell.right,
                          cell.holder.empty() ? "" : "held by " + cell.holder);
    }
  }
  return text;
}

}  // namespace sternpost
