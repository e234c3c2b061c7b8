// The thread that writes, syncs and removes content files, so that large mail delays no small mail.
//
// What is asked for is done in order. Nothing is shared with the thread but two queues and the disk. What
// came of it is told on the loop.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "base/queue_id.h"
#include "base/result.h"
#include "spool/content_file.h"

namespace sternpost::spool_service {

class ContentThread {
 public:
  struct Handlers {
    /// A piece of so many octets has left memory, and waited for no later sync; after a failure what follows
    /// of this content is dropped.
    std::function<void(QueueId id, std::size_t bytes, const Result<void>& written)> on_written;
    /// The file is durable with all of its content, or is not and was removed, where it was made.
    std::function<void(QueueId id, Result<spool::ContentFile> file)> on_finished;
  };

  /// Starts the thread; internal where there can be none. `disk` outlives it, and is not used by anyone else:
  /// the kernel tells of a failed write once for each open file, so whoever syncs a folder beside it could
  /// take the error that belongs to the name of a content file.
  static Result<std::unique_ptr<ContentThread>> start(boost::asio::io_context& loop, spool::Disk& disk,
                                                      Handlers handlers);
  /// Does what was asked for, and tells nobody any more.
  ~ContentThread();
  ContentThread(const ContentThread&) = delete;
  ContentThread& operator=(const ContentThread&) = delete;

  /// Answered by on_written. The first piece makes the file.
  void write(QueueId id, std::string piece) { ask({id, Write{std::move(piece)}}); }
  /// Writes the last piece, which may be the only one; answered by on_finished.
  void finish(QueueId id, std::string last_piece) { ask({id, Finish{std::move(last_piece)}}); }
  /// Also of what was not finished, or is not there; not a file that was there before the first piece. What
  /// cannot be removed is found by the next start.
  void remove(QueueId id) { ask({id, Remove{}}); }

  /// Asked for, and not answered; removals are not among them.
  [[nodiscard]] std::size_t unanswered() const { return unanswered_; }

 private:
  struct Write {
    std::string piece;
  };
  struct Finish {
    std::string last_piece;
  };
  struct Remove {};
  struct Request {
    QueueId id;
    std::variant<Write, Finish, Remove> what;
  };
  struct Written {
    std::size_t bytes = 0;
    Result<void> result;
  };
  struct Answer {
    QueueId id;
    std::variant<Written, Result<spool::ContentFile>> what;
  };

  ContentThread(boost::asio::io_context& loop, spool::Disk& disk, Handlers handlers, int event);
  void ask(Request request);
  void await_answers();
  void take_answers();

  // On the thread.
  void run();
  void work(std::deque<Request> requests);
  void answer_finished(std::vector<Answer> finished);
  Result<void> append(QueueId id, std::string_view piece);
  Result<spool::ContentFile> complete(QueueId id, std::string_view last_piece);
  void remove_file(QueueId id);
  void answer(std::vector<Answer> answers);

  Handlers handlers_;
  boost::asio::posix::stream_descriptor answered_;  ///< an eventfd
  std::size_t unanswered_ = 0;

  std::mutex mutex_;  ///< of the next four
  std::condition_variable asked_;
  std::deque<Request> requests_;
  std::vector<Answer> answers_;
  bool ending_ = false;

  // The thread's own.
  spool::Disk& disk_;
  /// Or why there is none: no file was made, or it is removed already.
  std::map<QueueId, Result<spool::ContentWriter>> writers_;

  std::thread thread_;
};

}  // namespace sternpost::spool_service
