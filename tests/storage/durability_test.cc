// Power, space, and the writer's thread.
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/storage/writer.h"
#include "tests/storage/store_fixture.h"

namespace vlm::storage {
namespace {

TEST_F(StoreTest, EveryCommitThatReturnedSurvivesAKill) {
  int channel[2];
  ASSERT_EQ(pipe(channel), 0);
  const pid_t child = fork();
  if (child == 0) {
    auto store = Store::Open(path_);
    for (int i = 1;; ++i) {
      core::AppendEvent event;
      event.event.set_sequence(i);
      const core::Batch batch = {event};
      if (!store.ok() || !(*store)->Commit({&batch}).ok()) _exit(1);
      if (write(channel[1], &i, sizeof(i)) != sizeof(i)) _exit(1);
    }
  }
  int acknowledged = 0;
  for (int i = 0; i < 20; ++i) ASSERT_EQ(read(channel[0], &acknowledged, sizeof(int)), 4);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(channel[0]);
  close(channel[1]);
  EXPECT_GE(OpenAndLoad().last_event_sequence, acknowledged);
}

TEST_F(StoreTest, AFullDiskIsAnAnswerAndNotACrash) {
  if (mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, "size=1m") != 0) {
    GTEST_SKIP() << "a small file system can only be mounted by root";
  }
  {
    auto store = Open();
    absl::Status status;
    core::Batch batch = SampleBatch();
    ASSERT_TRUE(Commit(*store, batch).ok());
    for (int i = 2; i < 2000 && status.ok(); ++i) {
      core::PutRequest request{absl::StrCat("r", i), "Submit", std::string(4096, 'x')};
      status = Commit(*store, {request});
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
    EXPECT_NE(status.message().find("free some space"), std::string::npos);
    EXPECT_EQ(store->ReadLogs(1, 0, 0)->size(), 2u) << "what is stored stays readable";
  }
  EXPECT_EQ(umount(folder_.path().c_str()), 0);
}

TEST_F(StoreTest, TheWriterCallsBackInOrderAfterTheCommit) {
  auto store = Open();
  std::vector<int> order;
  {
    Writer writer(store.get());
    for (int i = 1; i <= 100; ++i) {
      core::Batch batch;
      if (i % 2 == 0) {
        core::AppendEvent event;
        event.event.set_sequence(i);
        batch.push_back(event);
      }
      writer.Enqueue(std::move(batch), [&order, i] { order.push_back(i); });
    }
  }
  ASSERT_EQ(order.size(), 100u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(Count("SELECT count(*) FROM vlm_events"), 50);
}

TEST_F(StoreTest, ReadsAndCommitsGoOnAtTheSameTime) {
  auto store = Open();
  ASSERT_TRUE(Commit(*store, SampleBatch()).ok());
  std::thread reader([&] {
    for (int i = 0; i < 50; ++i) EXPECT_TRUE(store->ReadSeries(1, {}, 0).ok());
  });
  for (int i = 2; i < 52; ++i) {
    core::AppendEvent event;
    event.event.set_sequence(i);
    EXPECT_TRUE(Commit(*store, {event}).ok());
  }
  reader.join();
}

}  // namespace
}  // namespace vlm::storage
