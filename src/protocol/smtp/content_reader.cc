#include "protocol/smtp/content_reader.h"

#include <cstring>

namespace sternpost::smtp {
namespace {

const char* find(const char* from, const char* end, char c) {
  return static_cast<const char*>(std::memchr(from, c, static_cast<std::size_t>(end - from)));
}

}  // namespace

std::size_t ContentReader::read(std::string_view input, std::string& out) {
  if (input.empty() || ended()) return 0;
  const auto taken = line_end_ == LineEnd::crlf ? read_crlf(input, out) : read_lf(input, out);
  if (std::memchr(input.data(), '\0', taken) != nullptr) faults_.nul = true;
  return taken;
}

const char* ContentReader::read_text(const char* from, const char* end) {
  const char* cr = find(from, end, '\r');
  const char* stop = cr != nullptr ? cr : end;
  if (find(from, stop, '\n') != nullptr) faults_.bare_lf = true;
  count(static_cast<std::size_t>(stop - from));
  if (cr == nullptr) return end;
  count(1);
  state_ = State::cr;
  return cr + 1;
}

std::size_t ContentReader::read_crlf(std::string_view input, std::string& out) {
  const char* const begin = input.data();
  const char* const end = begin + input.size();
  const char* at = begin;
  const char* run = begin;  // what stands between here and `at` goes out as it is
  const auto flush = [&] { out.append(run, static_cast<std::size_t>(at - run)); };

  while (at != end) {
    switch (state_) {
      case State::line_start:
        if (*at == '.') {
          flush();
          run = ++at;
          count(1);
          state_ = State::dot;
          break;
        }
        state_ = State::text;
        [[fallthrough]];
      case State::text:
        at = read_text(at, end);
        break;
      case State::cr:
        if (*at == '\n') {
          ++at;
          count(1);
          line_octets_ = 0;
          state_ = State::line_start;
        } else {
          faults_.bare_cr = true;
          state_ = State::text;
        }
        break;
      case State::dot:
        if (*at == '\r') {
          run = ++at;
          count(1);
          state_ = State::dot_cr;
        } else {
          state_ = State::text;
        }
        break;
      case State::dot_cr:
        if (*at == '\n') {
          state_ = State::ended;
          return static_cast<std::size_t>(at + 1 - begin);
        }
        faults_.bare_cr = true;
        state_ = State::text;
        break;
      case State::ended:
        return static_cast<std::size_t>(at - begin);
    }
  }
  flush();
  return input.size();
}

std::size_t ContentReader::read_lf(std::string_view input, std::string& out) {
  std::size_t taken = 0;
  for (const char c : input) {
    ++taken;
    count(1);
    if (c == '\r') faults_.bare_cr = true;
    if (c != '\n') {
      const bool transparency = state_ == State::line_start && c == '.';
      if (!transparency) out.push_back(c);
      state_ = transparency ? State::dot : State::text;
      continue;
    }
    if (state_ == State::dot) {
      state_ = State::ended;
      break;
    }
    out.append("\r\n");
    line_octets_ = 0;
    state_ = State::line_start;
  }
  return taken;
}

}  // namespace sternpost::smtp
