// Channels to router: from an intake, which asks whether a recipient may be accepted, and from qmgr, which
// asks where recipients go. Every question is answered once, in any order; a question without an answer when
// the channel ends may be asked again on the next one, for none of them changes anything.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "base/codec.h"
#include "base/queue_id.h"
#include "base/rule.h"
#include "mail/address.h"
#include "mail/status.h"
#include "service/spool/qmgr_protocol.h"

namespace sternpost::router {

/// Holds the recipients of one message, 10,000 of 320 octets.
inline constexpr std::size_t kMaxFrame = 4 * 1024 * 1024;

/// May this recipient be accepted from this client?
struct Verify {
  std::uint64_t request = 0;
  std::string client_address;  ///< textual IP address without port
  mail::ReversePath sender;
  mail::Mailbox recipient;
  static constexpr auto fields() {
    return std::tuple(&Verify::request, &Verify::client_address, &Verify::sender, &Verify::recipient);
  }
};

using FromIntake = std::variant<Verify>;

/// `reply` 250 accepts, 4xx and 5xx are given to the client as they are.
struct Verdict {
  std::uint64_t request = 0;
  mail::Reply reply;
  Rule rule;
  static constexpr auto fields() { return std::tuple(&Verdict::request, &Verdict::reply, &Verdict::rule); }
};

using ToIntake = std::variant<Verdict>;

struct RouteRecipient {
  std::uint32_t index = 0;
  mail::Mailbox address;
  static constexpr auto fields() { return std::tuple(&RouteRecipient::index, &RouteRecipient::address); }
};

/// Where do these recipients go?
struct Route {
  QueueId id;
  std::vector<RouteRecipient> recipients;
  std::uint32_t generation = 0;  ///< of the question, as whoever asks counts; it comes back
  static constexpr auto fields() { return std::tuple(&Route::id, &Route::recipients, &Route::generation); }
};

using FromQmgr = std::variant<Route>;

/// Deliverable by `agent` at `site` (where reply is 250), or not: 5xx for good, 4xx for now.
struct RoutedRecipient {
  std::uint32_t index = 0;
  mail::Reply reply;
  spool_qmgr::Agent agent = spool_qmgr::Agent::virtual_mailbox;
  std::string site;
  Rule rule;
  static constexpr auto fields() {
    return std::tuple(&RoutedRecipient::index, &RoutedRecipient::reply, &RoutedRecipient::agent,
                      &RoutedRecipient::site, &RoutedRecipient::rule);
  }
};

struct Routed {
  QueueId id;
  std::vector<RoutedRecipient> recipients;
  std::uint32_t generation = 0;
  static constexpr auto fields() { return std::tuple(&Routed::id, &Routed::recipients, &Routed::generation); }
};

using ToQmgr = std::variant<Routed>;

}  // namespace sternpost::router
