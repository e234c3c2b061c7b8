// write_notices FOLDER — writes NAME.eml for each case below, and NAME.expected with what a reader must find
// in it: `failed ADDRESS` or `delayed ADDRESS` for each recipient, `parts N`, `to ADDRESS`.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mail/delivery_status.h"

namespace sternpost::mail {
namespace {

struct Case {
  std::string_view name;
  NoticeFacts facts;
  std::string content;
  std::size_t parts = 3;
};

constexpr WallTime kArrival{1'795'248'812'654'321};
constexpr WallTime kNow{1'795'248'816'000'001};
constexpr std::string_view kPlain =
    "Received: from client.example ([192.0.2.9])\r\n\tby mx.example.org with ESMTP id 0010;\r\n"
    "\tSat, 21 Nov 2026 08:13:32 +0000\r\nFrom: Alice <alice@example.com>\r\nSubject: Lunch\r\n"
    "Message-ID: <1@example.com>\r\n\r\nAt noon?\r\n";

NoticeRecipient recipient(std::string_view address, std::string text = "no such mailbox here") {
  return {.address = *Mailbox::from_wire(address),
          .reply = {550, {5, 1, 1}, std::move(text)},
          .remote = "mx.example.net [192.0.2.7]",
          .attempted = kArrival};
}

Case with(std::string_view name, std::vector<NoticeRecipient> recipients,
          std::string content = std::string(kPlain)) {
  Case one{.name = name, .facts = {}, .content = std::move(content)};
  one.facts.reporting_mta = "mx.example.org";
  one.facts.id = QueueId{31};
  one.facts.notice = QueueId{32};
  one.facts.arrival = kArrival;
  one.facts.now = kNow;
  one.facts.reverse_path = Mailbox::from_wire("alice@example.com");
  one.facts.recipients = std::move(recipients);
  one.facts.max_returned_bytes = 16'384;
  return one;
}

Case delayed(Case one) {
  one.facts.kind = NoticeKind::delayed;
  one.facts.will_retry_until = kNow + Seconds(432'000);
  for (auto& each : one.facts.recipients) {
    each.reply = {451, {4, 4, 1}, "no answer from mx.example.net"};
    each.remote.clear();
  }
  return one;
}

std::vector<NoticeRecipient> thousand() {
  std::vector<NoticeRecipient> all;
  for (int i = 0; i < 1000; ++i) all.push_back(recipient(fmt::format("user{}@example.net", i)));
  return all;
}

std::vector<Case> cases() {
  using namespace std::string_literals;
  std::vector<Case> all;
  all.push_back(with("failure", {recipient("bob@example.net")}));
  all.push_back(delayed(with("delay", {recipient("bob@example.net"), recipient("carol@example.net")})));
  all.push_back(with("double_bounce", {recipient("bob@example.net")}));
  all.back().facts.reverse_path = std::nullopt;
  all.push_back(with("thousand", thousand()));
  all.push_back(delayed(with("thousand_delayed", thousand())));
  all.push_back(
      with("odd_addresses", {recipient(R"("a b;c"@example.net)"), recipient(R"("x\"y\\z"@example.net)"),
                             recipient("o'neil+a/b@[192.0.2.1]"), recipient("\"@\"@example.net"),
                             recipient("\"" + std::string(62, ' ') + "\"@example.net")}));
  all.back().facts.reverse_path = Mailbox::from_wire(R"("Al \"Q\" (Ice) B."@example.com)");
  all.push_back(
      with("hostile_reply",
           {recipient("bob@example.net", "no\r\nAction: delivered\r\n\r\nX\0Y\x1b[31m\xc3\xa4\tz\n"s),
            recipient("carol@example.net", std::string(600, 'w')),
            recipient("dave@example.net", "a (comment; \"open \\ =?utf-8?q?x?= <eve@example.net>:")}));
  all.push_back(with("long_reply", {recipient("bob@example.net", [] {
                       std::string text;
                       while (text.size() < 500) text += "words and ";
                       return text;
                     }())}));
  all.push_back(
      with("eight_bit_header", {recipient("bob@example.net")}, "Subject: gr\xc3\xbcn, wei\xc3\x9f\r\n\r\n"));
  all.push_back(with("broken_header", {recipient("bob@example.net")},
                     "Subject: a\rb\nX: \0\xff\r\n--=_0011.1795248816000001--\r\n\r\n"s));
  all.push_back(with("boundary_in_header", {recipient("bob@example.net")},
                     "--=_0011.1795248816000001: x\r\n--=_0011.1795248816000001.1--: y\r\n\r\n"));
  all.push_back(with("vast_header", {recipient("bob@example.net")}, "X: " + std::string(1UL << 20U, 'x')));
  all.push_back(with("no_header", {recipient("bob@example.net")}, "\r\nbody\r\n"));
  all.back().parts = 2;
  all.push_back(with("empty_content", {recipient("bob@example.net")}, ""));
  all.back().parts = 2;
  return all;
}

void write(const std::filesystem::path& folder, Case one) {
  one.facts.content = one.content;
  const auto path = (folder / one.name).string();
  std::ofstream(path + ".eml", std::ios::binary) << compose_notice(one.facts);
  std::ofstream expected(path + ".expected");
  const bool failed = one.facts.kind == NoticeKind::failed;
  for (const auto& each : one.facts.recipients) {
    expected << fmt::format("{} {}\n", failed ? "failed" : "delayed", each.address.to_wire());
  }
  const auto to = one.facts.reverse_path ? one.facts.reverse_path->to_wire() : "postmaster@mx.example.org";
  expected << fmt::format("parts {}\nto {}\n", one.parts, to);
}

}  // namespace
}  // namespace sternpost::mail

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: write_notices FOLDER\n");
    return 2;
  }
  for (auto& one : sternpost::mail::cases()) sternpost::mail::write(argv[1], std::move(one));
  return 0;
}
