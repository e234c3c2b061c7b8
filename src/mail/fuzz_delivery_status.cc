// Notices about any message and any reply are content that every server takes, and no part of them ends
// early.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "mail/delivery_status.h"
#include "mail/header.h"
#include "mail/seven_bit.h"

using namespace sternpost::mail;

namespace {

std::size_t count(std::string_view text, std::string_view what) {
  std::size_t n = 0;
  for (auto at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 4, size - 4);
  const auto said = input.substr(0, data[0]);
  const auto remote = input.substr(said.size()).substr(0, data[1]);
  const auto content = input.substr(said.size() + remote.size());

  NoticeFacts facts;
  facts.kind = data[2] % 2 == 0 ? NoticeKind::failed : NoticeKind::delayed;
  facts.reporting_mta = "mx.example.org";
  facts.reverse_path = Mailbox::from_wire("alice@example.com");
  facts.recipients.push_back({.address = *Mailbox::from_wire("bob@example.net"),
                              .reply = {550, {5, 1, 1}, std::string(said)},
                              .remote = std::string(remote),
                              .attempted = {}});
  facts.content = content;
  facts.max_returned_bytes = data[3] * std::size_t{16};

  const auto notice = compose_notice(facts);
  if (!is_seven_bit(notice) || !notice.ends_with("--\r\n")) std::abort();
  const auto types = field_values(notice, "Content-Type");
  if (types.size() != 1) std::abort();
  const auto begin = types.front().find('"') + 1;
  const auto boundary = types.front().substr(begin, types.front().rfind('"') - begin);
  const auto parts = count(notice, "\r\nContent-Description: ");
  if (parts < 2 || count(notice, boundary) < 4 || count(notice, boundary) > 5) std::abort();
  return 0;
}
