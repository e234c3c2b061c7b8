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
#include "delivery/deliverer.h"
#include "runtime/agent/agent_protocol.h"
#include "runtime/control_protocol.h"
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
    if (word == "agents") {
      peers.insert({Compartment::virtual_mailbox, Compartment::smtp});
      continue;
    }
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

TEST(plan, gives_socket_families_to_dns_and_smtp_alone_and_no_one_folders_of_two_kinds) {
  for (const auto& row : plan()) {
    const bool goes_out = row.self == Compartment::dns || row.self == Compartment::smtp;
    EXPECT_EQ(!row.socket_families.empty(), goes_out) << to_string(row.self);
    EXPECT_EQ(row.outbound != Outbound::nobody, !row.socket_families.empty()) << to_string(row.self);
    EXPECT_LE(row.folders.size(), row.self == Compartment::spool ? 2U : 1U) << to_string(row.self);
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

TEST(plan, takes_uids_from_the_base_and_the_owner_of_the_mailboxes_from_its_key) {
  const Owner vmail{5000, 5001};
  for (const auto& row : plan()) {
    const auto confinement = confinement_of(row, true, 90'000, vmail, true);
    const bool owns_mail = row.self == Compartment::virtual_mailbox;
    const auto own = 90'000 + static_cast<std::uint32_t>(row.self);
    EXPECT_EQ(confinement.uid, owns_mail ? vmail.uid : own) << to_string(row.self);
    EXPECT_EQ(confinement.gid, owns_mail ? vmail.gid : own) << to_string(row.self);
    EXPECT_TRUE(confinement.weaker);
    EXPECT_FALSE(confinement_of(row, true, 90'000, vmail, false).weaker);
    EXPECT_FALSE(confinement_of(row, false, 90'000, vmail, false).change_user) << "without root";
  }
}

TEST(plan, lets_dns_and_smtp_alone_connect_each_only_to_its_ports) {
  config::MasterSlice settings;
  settings.dns_ports = {53, 5353};
  settings.smtp_ports = {25, 2525};
  for (const auto& row : plan()) {
    const auto ports = tcp_ports_of(row, settings);
    const auto confinement = confinement_of(row, true, kDefaultUidBase, Owner{}, false, ports);
    EXPECT_EQ(confinement.tcp_connect_ports, ports);
    if (row.self == Compartment::dns) {
      EXPECT_EQ(ports, settings.dns_ports);
    } else if (row.self == Compartment::smtp) {
      EXPECT_EQ(ports, settings.smtp_ports);
    } else {
      EXPECT_TRUE(ports.empty()) << to_string(row.self);
    }
  }
}

TEST(plan, has_master_connect_smtp_alone_and_only_to_sockets_that_the_configuration_names) {
  config::MasterSlice settings;
  settings.local_sockets = {"/run/dovecot/lmtp"};
  for (const auto& row : plan()) {
    const bool is_smtp = row.self == Compartment::smtp;
    EXPECT_EQ(may_be_connected(row, settings, "/run/dovecot/lmtp"), is_smtp) << to_string(row.self);
    for (const auto* other : {"/run/dovecot/auth", "/run/dovecot/../dovecot/lmtp", "run/dovecot/lmtp", ""}) {
      EXPECT_FALSE(may_be_connected(row, settings, other)) << to_string(row.self) << ": " << other;
    }
  }
}

TEST(plan, knows_the_default_of_the_registry) {
  const auto* parameter = config::find_parameter("sandbox.uid_base");
  ASSERT_NE(parameter, nullptr);
  EXPECT_EQ(parameter->initial, std::to_string(kDefaultUidBase));
}

TEST(plan, bounds_listeners_by_what_one_frame_carries) {
  const auto* parameter = config::find_parameter("smtp.listen");
  ASSERT_NE(parameter, nullptr);
  constexpr std::uint64_t kSliceAndRoot = 2;
  const auto folders = plan_row(Compartment::smtpd).folders.size();
  EXPECT_EQ(parameter->bounds.most + kSliceAndRoot + folders, control::kMaxDescriptors);
}

TEST(plan, has_descriptors_for_all_that_an_agent_may_have_in_hand) {
  constexpr std::uint64_t kBesides = 100;  // channels, folders, what it keeps of Maildirs
  const auto files = spool_agent::kMaxFilesInHand + kBesides;
  constexpr std::uint64_t kOfEachMaildir = 3;
  const auto maildirs = delivery::Deliverer::kMaxGroup * kOfEachMaildir;
  EXPECT_GE(plan_row(Compartment::virtual_mailbox).max_descriptors, files + maildirs);
  const auto* sessions = config::find_parameter("smtp_client.max_sessions");
  ASSERT_NE(sessions, nullptr);
  EXPECT_GE(plan_row(Compartment::smtp).max_descriptors, files + sessions->bounds.most);
}

TEST(plan, text_tells_what_holds_in_the_running_instance) {
  const RunningLayers layers = {{Compartment::master, {"root"}},
                                {Compartment::smtpd, {"uid", "root", "landlock 7", "seccomp"}},
                                {Compartment::log, {"landlock 3"}}};
  const auto text = plan_text(false, &layers);
  const auto cells = [&](const std::string& name) {
    const auto begin = text.find("\n" + name + ":") + 1;
    return text.substr(begin, text.find("\n  talks to", begin) - begin);
  };
  EXPECT_NE(cells("smtpd").find("held by empty root + landlock 7 + seccomp"), std::string::npos) << text;
  EXPECT_NE(cells("smtpd").find("held by setresuid"), std::string::npos) << text;
  EXPECT_NE(cells("log").find("held by nothing: as who started it"), std::string::npos) << text;
  EXPECT_NE(cells("log").find("held by landlock 3\n"), std::string::npos) << text;
  EXPECT_NE(cells("log").find("held by nothing\n"), std::string::npos) << "its network, by landlock 3";
  EXPECT_NE(cells("router").find("(not running now)"), std::string::npos) << text;
  EXPECT_EQ(cells("router").find("held by"), std::string::npos) << text;
  EXPECT_NE(plan_text(false, nullptr).find("if started by you"), std::string::npos);
}

}  // namespace
}  // namespace sternpost
