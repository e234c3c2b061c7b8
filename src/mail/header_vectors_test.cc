// Real trace fields of many servers (shared vectors, header-fields): each is one field and one hop.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "mail/header.h"

namespace sternpost::mail {
namespace {

constexpr std::size_t kCases = 181;

std::filesystem::path vectors() {
  const char* given = std::getenv("STERNPOST_VECTORS");
  if (given != nullptr) return given;
  return std::filesystem::path(STERNPOST_SOURCE_DIR).parent_path() / "shared/vectors";
}

/// The JSON string that begins behind its opening quote at `at`. Only what these files use is decoded.
std::string json_string(std::string_view text, std::size_t at) {
  std::string out;
  for (; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] != '\\') {
      out.push_back(text[at]);
      continue;
    }
    const char c = text[++at];
    out.push_back(c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c);
  }
  return out;
}

std::vector<std::string> load(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string all{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  constexpr std::string_view kKey = "\"header\": \"";
  std::vector<std::string> headers;
  for (auto at = all.find(kKey); at != std::string::npos; at = all.find(kKey, at + 1)) {
    headers.push_back(json_string(all, at + kKey.size()));
  }
  return headers;
}

TEST(header_vectors, received_fields_are_one_field_and_one_hop_each) {
  const auto file = vectors() / "header-fields/received.json";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "no test vectors at " << file;
  const auto values = load(file);
  EXPECT_GE(values.size(), kCases);
  for (const auto& value : values) {
    const auto message = "Received: " + value + "Subject: x\n\nReceived: body\n";
    HeaderReader reader(message);
    const auto field = reader.next();
    ASSERT_TRUE(field) << value;
    EXPECT_EQ(field->name, "Received") << value;
    EXPECT_EQ(unfold(field->value), unfold(value));
    const auto subject = reader.next();
    ASSERT_TRUE(subject) << value;
    EXPECT_EQ(subject->name, "Subject") << value;
    EXPECT_EQ(count_received(message), 1U) << value;
  }
}

}  // namespace
}  // namespace sternpost::mail
