// SQLite with a write-ahead log that is synced at each commit; a transaction for each group.

#include <sqlite3.h>

#include "store.h"

namespace sternpost::bench {
namespace {

class SqliteStore : public Store {
 public:
  explicit SqliteStore(const Site& site) {
    if (sqlite3_open((site.folder / "messages.db").c_str(), &database_) != SQLITE_OK) fail();
    for (const char* statement :
         {"PRAGMA page_size = 16384", "PRAGMA locking_mode = EXCLUSIVE", "PRAGMA journal_mode = WAL",
          "PRAGMA synchronous = FULL", "PRAGMA cache_size = -65536", "PRAGMA wal_autocheckpoint = 4000",
          "CREATE TABLE message (number INTEGER PRIMARY KEY, content BLOB NOT NULL)"}) {
      execute(statement);
    }
    prepare("BEGIN", begin_);
    prepare("INSERT INTO message VALUES (?, ?)", insert_);
    prepare("COMMIT", commit_);
  }

  ~SqliteStore() override {
    for (auto* statement : {begin_, insert_, commit_}) sqlite3_finalize(statement);
    sqlite3_close(database_);
  }

  SqliteStore(const SqliteStore&) = delete;
  SqliteStore& operator=(const SqliteStore&) = delete;

  void commit(std::uint64_t first, std::size_t count) override {
    run(begin_);
    sqlite3_bind_blob(insert_, 2, content().data(), static_cast<int>(kMessageBytes), SQLITE_STATIC);
    for (auto number = first; number < first + count; ++number) {
      sqlite3_bind_int64(insert_, 1, static_cast<sqlite3_int64>(number));
      run(insert_);
    }
    run(commit_);
  }

  void clear() override {
    execute("DELETE FROM message");
    execute("PRAGMA wal_checkpoint(RESTART)");
  }

 private:
  [[noreturn]] void fail() { die(sqlite3_errmsg(database_)); }
  void execute(const char* statement) {
    if (sqlite3_exec(database_, statement, nullptr, nullptr, nullptr) != SQLITE_OK) fail();
  }
  void prepare(const char* text, sqlite3_stmt*& statement) {
    if (sqlite3_prepare_v2(database_, text, -1, &statement, nullptr) != SQLITE_OK) fail();
  }
  void run(sqlite3_stmt* statement) {
    if (sqlite3_step(statement) != SQLITE_DONE) fail();
    sqlite3_reset(statement);
  }

  sqlite3* database_ = nullptr;
  sqlite3_stmt* begin_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
  sqlite3_stmt* commit_ = nullptr;
};

}  // namespace

std::unique_ptr<Store> make_sqlite_store(const Site& site) {
  return std::make_unique<SqliteStore>(site);
}

}  // namespace sternpost::bench
