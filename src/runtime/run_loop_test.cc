#include "runtime/run_loop.h"

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>

namespace sternpost {
namespace {

/// Sleeps before courtesy is due again.
unsigned sleeps_until_due(Courtesy& courtesy) {
  unsigned sleeps = 0;
  while (!courtesy.due()) ++sleeps;
  return sleeps;
}

TEST(courtesy, is_due_before_each_sleep_while_it_brings_work) {
  Courtesy courtesy;
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(courtesy.due());
    courtesy.tried(true);
  }
}

TEST(courtesy, becomes_seldom_within_its_bound_while_it_brings_nothing) {
  Courtesy courtesy;
  for (const unsigned expected : {0U, 1U, 3U, 7U, 15U, 31U, 63U, 63U}) {
    EXPECT_EQ(sleeps_until_due(courtesy), expected);
    courtesy.tried(false);
  }
  EXPECT_EQ(sleeps_until_due(courtesy), Courtesy::kLongestPause);
  courtesy.tried(true);
  EXPECT_TRUE(courtesy.due()) << "at once, when it has brought something";
}

TEST(run_loop, runs_what_is_ready_and_what_is_waited_for_until_it_is_stopped) {
  boost::asio::io_context loop;
  const auto work = boost::asio::make_work_guard(loop);
  boost::asio::steady_timer timer(loop);
  int steps = 0;
  timer.expires_after(std::chrono::milliseconds(1));
  timer.async_wait([&](const boost::system::error_code& error) {
    if (error) return;
    ++steps;
    boost::asio::post(loop, [&] {
      ++steps;
      loop.stop();
      boost::asio::post(loop, [&] { ++steps; });
    });
  });
  boost::asio::post(loop, [&] { ++steps; });
  run_loop(loop);
  EXPECT_EQ(steps, 3) << "nothing runs behind the stop";
}

TEST(run_loop, ends_where_there_is_nothing_left_to_wait_for) {
  boost::asio::io_context loop;
  bool ran = false;
  boost::asio::post(loop, [&] { ran = true; });
  run_loop(loop);
  EXPECT_TRUE(ran);
}

}  // namespace
}  // namespace sternpost
