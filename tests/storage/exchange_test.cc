// Studies out of and into databases of their own.
#include "server/storage/exchange.h"

#include <fstream>

#include "gmock/gmock.h"
#include "tests/storage/store_fixture.h"

namespace vlm::storage {
namespace {

using ::testing::HasSubstr;

class ExchangeTest : public StoreTest {
 protected:
  std::string Exported() {
    auto store = Open();
    EXPECT_TRUE(Commit(*store, SampleBatch()).ok());
    const std::string path = folder_ / "export.db";
    const absl::Status written = store->ExportStudy(1, path);
    EXPECT_TRUE(written.ok()) << written;
    return path;
  }
};

TEST_F(ExchangeTest, AnExportReadsBackAsTheStudy) {
  const auto read = ReadOptunaStudy(Exported(), "");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->study.name(), SampleStudy().name());
  ASSERT_EQ(read->trials.size(), 1u);
  const v1::Trial sample = SampleTrial();
  EXPECT_EQ(read->trials[0].values(0), sample.values(0));
  ASSERT_EQ(read->trials[0].params_size(), sample.params_size());
  for (int i = 0; i < sample.params_size(); ++i) {
    EXPECT_EQ(read->trials[0].params(i).DebugString(), sample.params(i).DebugString());
  }
  EXPECT_EQ(read->trials[0].intermediate_values_size(), sample.intermediate_values_size());
}

TEST_F(ExchangeTest, AnExportHoldsOnlyOptunasTables) {
  SQLite::Database db(Exported());
  EXPECT_EQ(db.execAndGet("SELECT count(*) FROM sqlite_master WHERE name LIKE 'vlm_%'").getInt(),
            0);
  EXPECT_EQ(db.execAndGet("SELECT version_num FROM alembic_version").getString(), "v3.2.0.a");
}

TEST_F(ExchangeTest, StudiesAreChosenByName) {
  const std::string path = Exported();
  {
    SQLite::Database db(path, SQLite::OPEN_READWRITE);
    db.exec("INSERT INTO studies VALUES (9, 'other')");
  }
  EXPECT_THAT(std::string(ReadOptunaStudy(path, "").status().message()), HasSubstr("other"));
  EXPECT_EQ(ReadOptunaStudy(path, "other")->study.study_id(), 9);
  EXPECT_EQ(ReadOptunaStudy(path, "nobody").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ExchangeTest, OtherFilesAreRefusedWithoutTheirPath) {
  const std::string path = Exported();
  {
    SQLite::Database db(path, SQLite::OPEN_READWRITE);
    db.exec("UPDATE alembic_version SET version_num = 'v3.0.0.d'");
  }
  const absl::Status old = ReadOptunaStudy(path, "").status();
  EXPECT_EQ(old.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(old.message()), HasSubstr("optuna storage upgrade"));
  EXPECT_THAT(std::string(old.message()), Not(HasSubstr(folder_.path())));
  const std::string text = folder_ / "text.db";
  std::ofstream(text) << std::string(5000, 'x');
  EXPECT_FALSE(ReadOptunaStudy(text, "").ok());
}

}  // namespace
}  // namespace vlm::storage
