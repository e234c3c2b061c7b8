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

std::string_view text_of(Place place) {
  switch (place) {
    case Place::spool:
      return "the spool folder";
    case Place::mail:
      return "the mail folder";
    case Place::log:
      return "the log folder";
    case Place::system_names:
      return "/etc and what NSS loads";
    case Place::configuration:
      return "the configuration file";
  }
  return "";
}

std::string_view text_of(Identity identity) {
  switch (identity) {
    case Identity::root:
      return "root";
    case Identity::own:
      return "own";
    case Identity::mail_owner:
      return "the mail owner";
  }
  return "";
}

std::string files_of(const Row& row) {
  std::string text;
  for (const auto& grant : row.folders) {
    if (!text.empty()) text += ", ";
    text += text_of(grant.place);
    if (grant.right == FolderRight::read) text += ", read only";
  }
  if (row.self == Compartment::master) return "none after start";
  return text.empty() ? "none" : text;
}

std::string network_of(const Row& row) {
  if (row.self == Compartment::master) return "binds, never reads";
  if (row.smtp_listeners) return "accepted sockets";
  if (row.control_listener) return "control socket";
  return "none";
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

std::vector<Cell> cells_of(const Row& row, bool as_root, int landlock) {
  const bool is_master = row.self == Compartment::master;
  const std::string root = as_root && row.empty_root ? "empty root" : "";
  const std::string files = landlock > 0 && !is_master ? fmt::format("landlock {}", landlock) : "";
  const std::string filter = is_master ? "" : "seccomp";
  return {
      {"uid", std::string(text_of(row.identity)),
       as_root ? "setresuid, no capabilities" : "the caller's own uid"},
      {"files", files_of(row), joined({root, files, filter})},
      {"network", network_of(row), joined({landlock >= 4 && !is_master ? files : "", filter})},
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
