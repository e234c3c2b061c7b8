// Packets of the DNS made by hand, for tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "service/dns/answer_parser.h"

namespace sternpost::dns {

/// Appends `number` as two octets in network order.
inline void put16(std::string& out, unsigned number) {
  out.push_back(static_cast<char>(number >> 8U));
  out.push_back(static_cast<char>(number & 0xffU));
}

/// A name as labels without compression; "" is the root. Octets of labels are taken as they are.
inline std::string wire_name(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    const auto label = name.substr(0, name.find('.'));
    out.push_back(static_cast<char>(label.size()));
    out += label;
    name.remove_prefix(label.size() == name.size() ? label.size() : label.size() + 1);
  }
  out.push_back('\0');
  return out;
}

inline std::string wire_mx(unsigned preference, std::string_view host) {
  std::string out;
  put16(out, preference);
  return out + wire_name(host);
}

/// A response to one question: header, question, then what is added.
class PacketBuilder {
 public:
  static constexpr unsigned kCname = 5, kSoa = 6;

  PacketBuilder(std::string_view name, RecordType type) {
    question_ = wire_name(name);
    put16(question_, static_cast<unsigned>(type));
    put16(question_, 1);
  }

  PacketBuilder& flags(unsigned flags) {
    flags_ = flags;
    return *this;
  }
  PacketBuilder& answer(std::string_view owner, unsigned type, std::uint32_t ttl, std::string_view data) {
    return answer_with_owner(wire_name(owner), type, ttl, data);
  }
  /// `owner` in wire format, such as a pointer.
  PacketBuilder& answer_with_owner(std::string_view owner, unsigned type, std::uint32_t ttl,
                                   std::string_view data) {
    answers_ += record(owner, type, ttl, data);
    ++answer_count_;
    return *this;
  }
  PacketBuilder& mx(std::string_view owner, unsigned preference, std::string_view host) {
    return answer(owner, static_cast<unsigned>(RecordType::mx), 600, wire_mx(preference, host));
  }
  PacketBuilder& soa(std::string_view owner, std::uint32_t ttl, std::uint32_t minimum) {
    auto data = wire_name("ns") + wire_name("hostmaster") + std::string(16, '\0');
    put16(data, minimum >> 16U);
    put16(data, minimum & 0xffffU);
    authority_ += record(wire_name(owner), kSoa, ttl, data);
    ++authority_count_;
    return *this;
  }

  [[nodiscard]] std::string bytes() const {
    std::string out;
    for (const auto number : {7U, flags_, 1U, answer_count_, authority_count_, 0U}) put16(out, number);
    return out + question_ + answers_ + authority_;
  }

 private:
  static std::string record(std::string_view owner, unsigned type, std::uint32_t ttl, std::string_view data) {
    std::string out(owner);
    put16(out, type);
    put16(out, 1);
    put16(out, ttl >> 16U);
    put16(out, ttl & 0xffffU);
    put16(out, static_cast<unsigned>(data.size()));
    return out.append(data);
  }

  std::string question_, answers_, authority_;
  unsigned flags_ = 0x8180;
  unsigned answer_count_ = 0, authority_count_ = 0;
};

inline constexpr unsigned kTruncated = 0x8380, kNxdomain = 0x8183, kServfail = 0x8182;

}  // namespace sternpost::dns
