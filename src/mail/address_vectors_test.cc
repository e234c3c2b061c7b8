// The addresses of the isemail test set (shared vectors, addr-isemail).
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "mail/address.h"

namespace sternpost::mail {
namespace {

constexpr std::size_t kCases = 164;

struct Case {
  std::string id, address, category, diagnosis;
};

std::filesystem::path vectors() {
  const char* given = std::getenv("STERNPOST_VECTORS");
  if (given != nullptr) return given;
  return std::filesystem::path(STERNPOST_SOURCE_DIR).parent_path() / "shared/vectors";
}

std::string element(std::string_view text, std::string_view name) {
  const auto open = "<" + std::string(name) + ">";
  const auto begin = text.find(open);
  if (begin == std::string_view::npos) return {};
  const auto from = begin + open.size();
  return std::string(text.substr(from, text.find("</" + std::string(name) + ">", from) - from));
}

void append_utf8(std::string& out, unsigned code) {
  if (code < 0x80) {
    out.push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out.push_back(static_cast<char>(0xC0U | (code >> 6U)));
    out.push_back(static_cast<char>(0x80U | (code & 0x3FU)));
  } else {
    out.push_back(static_cast<char>(0xE0U | (code >> 12U)));
    out.push_back(static_cast<char>(0x80U | ((code >> 6U) & 0x3FU)));
    out.push_back(static_cast<char>(0x80U | (code & 0x3FU)));
  }
}

/// XML entities, and U+2400+n for the control character n.
std::string decoded(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto end = text.find(';');
    if (text.front() != '&' || end == std::string_view::npos) {
      out.push_back(text.front());
      text.remove_prefix(1);
      continue;
    }
    const std::string name(text.substr(1, end - 1));
    text.remove_prefix(end + 1);
    if (name.starts_with("#x")) {
      const auto code = static_cast<unsigned>(std::stoul(name.substr(2), nullptr, 16));
      append_utf8(out, code >= 0x2400 && code < 0x2421 ? code - 0x2400 : code);
    } else {
      out += name == "amp" ? "&" : name == "lt" ? "<" : name == "gt" ? ">" : name == "quot" ? "\"" : "'";
    }
  }
  return out;
}

std::vector<Case> load(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string all{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  std::vector<Case> cases;
  constexpr std::string_view kOpen = "<test id=\"";
  for (auto at = all.find(kOpen); at != std::string::npos; at = all.find(kOpen, at + 1)) {
    const auto text = std::string_view(all).substr(at, all.find("</test>", at) - at);
    const auto id = text.substr(kOpen.size(), text.find('"', kOpen.size()) - kOpen.size());
    cases.push_back({std::string(id), decoded(element(text, "address")), element(text, "category"),
                     element(text, "diagnosis")});
  }
  return cases;
}

bool must_be_taken(const Case& c) {
  return c.category == "ISEMAIL_VALID_CATEGORY" || c.category == "ISEMAIL_RFC5321" ||
         c.category == "ISEMAIL_DNSWARN";
}

TEST(address_vectors, are_taken_and_refused_as_isemail_says) {
  const auto file = vectors() / "addr-isemail/tests.xml";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "no test vectors at " << file;
  const auto cases = load(file);
  EXPECT_GE(cases.size(), kCases);
  for (const auto& c : cases) {
    const auto mailbox = Mailbox::from_wire(c.address);
    if (must_be_taken(c)) EXPECT_TRUE(mailbox) << c.id << " " << c.diagnosis << ": " << c.address;
    if (c.category == "ISEMAIL_ERR") EXPECT_FALSE(mailbox) << c.id << " " << c.diagnosis << ": " << c.address;
    if (mailbox) EXPECT_EQ(Mailbox::from_wire(mailbox->to_wire()), mailbox) << c.id << ": " << c.address;
  }
}

}  // namespace
}  // namespace sternpost::mail
