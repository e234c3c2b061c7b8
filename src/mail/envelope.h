// The envelope: what SMTP says about a message apart from its content, and how it came to us.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "base/time.h"
#include "mail/address.h"

namespace sternpost::mail {

/// How a message came in. All of it is for people and records; no decision after the commit reads it.
struct Origin {
  std::string protocol;  ///< the `with` of Received: "ESMTP", "SMTP"
  std::string client;    ///< address and port, "192.0.2.1:40312", or "[2001:db8::1]:40312"
  std::string helo;
  std::string session;

  bool operator==(const Origin&) const = default;
  static constexpr auto fields() {
    return std::tuple(&Origin::protocol, &Origin::client, &Origin::helo, &Origin::session);
  }
};

/// Recipients are named by their index here in everything that follows.
struct Envelope {
  ReversePath reverse_path;
  std::vector<Mailbox> recipients;
  WallTime arrival;
  Origin origin;
  bool eight_bit = false;  ///< BODY=8BITMIME was declared

  bool operator==(const Envelope&) const = default;
  static constexpr auto fields() {
    return std::tuple(&Envelope::reverse_path, &Envelope::recipients, &Envelope::arrival, &Envelope::origin,
                      &Envelope::eight_bit);
  }
};

}  // namespace sternpost::mail
