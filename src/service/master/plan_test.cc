// The plan in the code and the table in docs/architecture.md say the same.
#include "service/master/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <vector>

#include "config/registry.h"
#include "service/master/confinement.h"

namespace sternpost {
namespace {

/// The cells of the page's table by the compartment's name.
std::map<std::string, std::vector<std::string>> page_rows() {
  std::ifstream page(STERNPOST_SOURCE_DIR "/docs/architecture.md");
  std::map<std::string, std::vector<std::string>> rows;
  for (std::string line; std::getline(page, line);) {
    if (!line.starts_with("| ")) continue;
    std::vector<std::string> cells;
    std::istringstream text(line.substr(1));
    for (std::string cell; std::getline(text, cell, '|');) {
      const auto first = cell.find_first_not_of(' ');
      cells.push_back(
          first == std::string::npos ? "" : cell.substr(first, cell.find_last_not_of(' ') - first + 1));
    }
    if (cells.size() == 6) rows[cells[0]] = cells;
  }
  return rows;
}

/// The compartments that a "talks to" cell names, as far as they exist.
std::set<Compartment> peers_in(const std::string& cell) {
  std::set<Compartment> peers;
  std::istringstream words(cell);
  for (std::string word; words >> word;) {
    std::erase(word, ',');
    if (word == "intakes") word = "smtpd";
    if (word == "agents") word = "virtual";
    if (const auto peer = parse_compartment(word)) peers.insert(*peer);
  }
  peers.erase(Compartment::master);
  return peers;
}

TEST(plan, is_the_table_of_the_architecture_page) {
  const auto page = page_rows();
  for (const auto& row : plan()) {
    const auto name = std::string(to_string(row.self));
    ASSERT_TRUE(page.contains(name)) << name;
    const auto& cells = page.at(name);
    EXPECT_EQ(cells[2], identity_text(row)) << name;
    EXPECT_EQ(cells[3], files_text(row)) << name;
    EXPECT_TRUE(cells[4].starts_with(network_text(row))) << name << ": " << cells[4];
    if (row.self == Compartment::master) continue;
    const std::set<Compartment> peers(row.peers.begin(), row.peers.end());
    EXPECT_EQ(peers_in(cells[5]), peers) << name;
  }
}

TEST(plan, gives_no_compartment_a_socket_family_or_two_folders) {
  for (const auto& row : plan()) {
    EXPECT_TRUE(row.socket_families.empty()) << to_string(row.self);
    EXPECT_LE(row.folders.size(), 1U) << to_string(row.self);
  }
}

TEST(plan, gives_every_compartment_its_own_uid) {
  std::set<std::uint32_t> uids;
  for (const auto& row : plan()) {
    const auto confinement = confinement_of(row, true, kDefaultUidBase, Owner{}, false);
    EXPECT_TRUE(uids.insert(confinement.uid).second) << to_string(row.self);
    EXPECT_NE(confinement.uid, 0U);
  }
}

TEST(plan, knows_the_default_of_the_registry) {
  const auto* parameter = config::find_parameter("sandbox.uid_base");
  ASSERT_NE(parameter, nullptr);
  EXPECT_EQ(parameter->initial, std::to_string(kDefaultUidBase));
}

}  // namespace
}  // namespace sternpost
