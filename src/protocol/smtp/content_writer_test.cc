#include "protocol/smtp/content_writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/smtp/content_reader.h"

namespace sternpost::smtp {
namespace {

using namespace std::string_view_literals;

std::string write_all(std::string_view content, std::size_t piece = 1'000'000) {
  ContentWriter writer;
  std::string out;
  for (; !content.empty(); content.remove_prefix(std::min(piece, content.size()))) {
    const auto before = out.size();
    const auto octets = content.substr(0, piece);
    writer.write(octets, out);
    EXPECT_LE(out.size() - before, 2 * octets.size() + 1);
  }
  const auto before = out.size();
  writer.end(out);
  EXPECT_LE(out.size() - before, ContentWriter::kMaxEnd);
  return out;
}

ContentFacts measure(std::string_view content, std::size_t piece = 1'000'000) {
  ContentMeter meter;
  for (; !content.empty(); content.remove_prefix(std::min(piece, content.size()))) {
    meter.add(content.substr(0, piece));
  }
  return meter.facts();
}

/// What the writer must do, octet by octet.
std::string model(std::string_view content) {
  std::string out;
  for (std::size_t i = 0; i < content.size(); ++i) {
    const bool after_cr = i > 0 && content[i - 1] == '\r';
    const bool before_lf = i + 1 < content.size() && content[i + 1] == '\n';
    const bool line_start = i == 0 || content[i - 1] == '\n';
    if (content[i] == '\n') {
      out += after_cr ? "\n" : "\r\n";
    } else if (content[i] == '\r') {
      out += before_lf ? '\r' : ' ';
    } else {
      if (content[i] == '.' && line_start) out += '.';
      out += content[i];
    }
  }
  if (!content.empty() && content.back() != '\n') out += "\r\n";
  return out + ".\r\n";
}

void expect_harmless(std::string_view wire) {
  for (std::size_t i = 0; i < wire.size(); ++i) {
    if (wire[i] == '\r') EXPECT_TRUE(i + 1 < wire.size() && wire[i + 1] == '\n') << i;
    if (wire[i] == '\n') EXPECT_TRUE(i > 0 && wire[i - 1] == '\r') << i;
  }
  EXPECT_TRUE(wire == ".\r\n" || wire.ends_with("\r\n.\r\n"));
  // It ends where we end it and nowhere else.
  ContentReader reader(LineEnd::crlf, 1'000'000);
  std::string content;
  EXPECT_EQ(reader.read(wire, content), wire.size());
  EXPECT_TRUE(reader.ended());
}

TEST(content_writer, leaves_clean_content_as_it_is) {
  EXPECT_EQ(write_all("Subject: a\r\n\r\nbody\r\n"), "Subject: a\r\n\r\nbody\r\n.\r\n");
}

TEST(content_writer, ends_the_last_line) {
  EXPECT_EQ(write_all("a"), "a\r\n.\r\n");
  EXPECT_EQ(write_all("a\r"), "a \r\n.\r\n");
  EXPECT_EQ(write_all("a\n"), "a\r\n.\r\n");
}

TEST(content_writer, needs_no_content) {
  EXPECT_EQ(write_all(""), ".\r\n");
  ContentWriter writer;
  std::string out;
  writer.write("", out);
  EXPECT_EQ(out, "");
}

TEST(content_writer, doubles_dots_at_the_start_of_lines) {
  EXPECT_EQ(write_all("."), "..\r\n.\r\n");
  EXPECT_EQ(write_all("...\r\n.\r\n.a.\n.b"), "....\r\n..\r\n..a.\r\n..b\r\n.\r\n");
  EXPECT_EQ(write_all("a.\r\n"), "a.\r\n.\r\n");
}

TEST(content_writer, has_no_bare_line_ends) {
  EXPECT_EQ(write_all("a\nb\rc\r\rd\r\n\r"), "a\r\nb c  d\r\n \r\n.\r\n");
}

TEST(content_writer, leaves_nul_and_eight_bit_alone) {
  EXPECT_EQ(write_all("a\0b\xff\r\n"sv), "a\0b\xff\r\n.\r\n"sv);
}

TEST(content_writer, smuggles_nothing) {
  const std::vector<std::string_view> sequences = {
      "\n.\n"sv,   "\n.\r"sv,   "\r.\n"sv,       "\r.\r"sv,       "\n.\r\n"sv,     "\r.\r\n"sv,
      "\r\n.\n"sv, "\r\n.\r"sv, "\r\n\0.\r\n"sv, "\r\n.\0\r\n"sv, "\r\n.\r\r\n"sv, "\r\r\n.\r\r\n"sv,
  };
  for (const auto sequence : sequences) {
    const auto content = "text" + std::string(sequence) + "MAIL FROM:<>\r\nRCPT TO:<a@b>\r\n";
    const auto wire = write_all(content);
    expect_harmless(wire);
    EXPECT_EQ(wire, model(content));
  }
}

TEST(content_writer, does_the_same_in_pieces_of_any_size) {
  const auto content = ".a\r\n..\n.\r.\r\n\r\r\n\n\n.\0b\r"sv;
  for (std::size_t piece = 1; piece <= content.size() + 8; ++piece) {
    EXPECT_EQ(write_all(content, piece), model(content)) << piece;
  }
  // Cut in two at every place.
  for (std::size_t first = 0; first <= content.size(); ++first) {
    ContentWriter writer;
    std::string out;
    writer.write(content.substr(0, first), out);
    writer.write(content.substr(first), out);
    writer.end(out);
    EXPECT_EQ(out, model(content)) << first;
  }
}

TEST(content_writer, does_what_the_model_does_with_anything) {
  std::mt19937 random(17);
  constexpr std::string_view kOften = "\r\n.\r\n.ab\0\xff";
  for (int round = 0; round < 3000; ++round) {
    std::string content(random() % 1500, 'x');
    const unsigned density = 1 + random() % 100;
    for (char& c : content) {
      if (random() % density == 0) c = kOften[random() % kOften.size()];
    }
    // Some clean lines, so that whole blocks go as they are.
    if (round % 3 == 0) {
      for (std::size_t at = 70; at + 1 < content.size(); at += 70) content.replace(at, 2, "\r\n");
    }
    const auto wire = write_all(content, 1 + random() % 2000);
    ASSERT_EQ(wire, model(content));
    expect_harmless(wire);

    const auto facts = measure(content, 1 + random() % 2000);
    std::string undotted;
    ContentReader reader(LineEnd::crlf, 1'000'000);
    reader.read(wire, undotted);
    EXPECT_EQ(facts.octets, undotted.size());
    EXPECT_EQ(facts.eight_bit, std::ranges::any_of(content, [](char c) { return (c & 0x80) != 0; }));
  }
}

TEST(content_facts, are_those_of_the_wire) {
  EXPECT_EQ(measure(""), (ContentFacts{0, false}));
  EXPECT_EQ(measure("a"), (ContentFacts{3, false}));
  EXPECT_EQ(measure(".\n\r\n"), (ContentFacts{5, false}));
  EXPECT_EQ(measure("\xc3\xa9\r\n"), (ContentFacts{4, true}));
  EXPECT_EQ(measure(std::string(1000, '\n')), (ContentFacts{2000, false}));
}

}  // namespace
}  // namespace sternpost::smtp
