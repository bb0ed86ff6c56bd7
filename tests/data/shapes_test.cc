#include "insight/shapes/shapes.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "insight/shapes/scene.h"
#include "tests/data/support.h"

namespace vlm::insight {
namespace {

using data::testing::ReadFile;
using data::testing::TempDir;

TEST(ShapesTest, SameSeedGivesTheSameBytes) {
  const TempDir a, b;
  ASSERT_TRUE(WriteShapes({.out = a.path(), .n = 5, .seed = 3}).ok());
  ASSERT_TRUE(WriteShapes({.out = b.path(), .n = 5, .seed = 3}).ok());

  for (const char* name : {"captions.csv", "pictures/00000.png", "pictures/00004.png"}) {
    EXPECT_EQ(ReadFile(a / name), ReadFile(b / name)) << name;
  }
}

TEST(ShapesTest, AnotherSeedGivesOtherCaptions) {
  const TempDir a, b;
  ASSERT_TRUE(WriteShapes({.out = a.path(), .n = 5, .seed = 3}).ok());
  ASSERT_TRUE(WriteShapes({.out = b.path(), .n = 5, .seed = 4}).ok());

  EXPECT_NE(ReadFile(a / "captions.csv"), ReadFile(b / "captions.csv"));
}

TEST(ShapesTest, CaptionsNameSizeColoursShapesAndRelation) {
  const Scene scene{.large = false,
                    .relation = Relation::kLeftOf,
                    .subject = {.kind = ShapeKind::kCircle, .color = 0},
                    .object = {.kind = ShapeKind::kSquare, .color = 2}};

  EXPECT_EQ(Caption(scene), "a small red circle left of a blue square");
}

TEST(ShapesTest, RelationHoldsBetweenTheCentres) {
  for (int64_t i = 0; i < 200; ++i) {
    const Scene s = MakeScene(1, i);
    const double dx = s.object.x - s.subject.x, dy = s.object.y - s.subject.y;
    const double along = s.relation == Relation::kLeftOf    ? dx
                         : s.relation == Relation::kRightOf ? -dx
                         : s.relation == Relation::kAbove   ? dy
                                                            : -dy;
    EXPECT_GT(along, .4) << Caption(s);
  }
}

TEST(ShapesTest, SixHundredPicturesShowManyCaptions) {
  std::set<std::string> captions;
  for (int64_t i = 0; i < 600; ++i) captions.insert(Caption(MakeScene(1, i)));

  EXPECT_GT(captions.size(), 400u);  // Of 1152 that there are.
}

TEST(ShapesTest, OptionsOutOfRangeAreNamed) {
  const TempDir dir;

  EXPECT_EQ(WriteShapes({.out = dir.path(), .n = 0}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(WriteShapes({.out = dir.path(), .n = 1, .image_size = 4}).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(WriteShapes({.out = "", .n = 1}).code(), absl::StatusCode::kInvalidArgument);
}

TEST(ShapesTest, AFolderThatCannotBeMadeIsNamed) {
  const TempDir dir;
  dir.Write("file", "x");

  const absl::Status status = WriteShapes({.out = dir / "file/below", .n = 1});

  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find("file/below"), std::string::npos) << status;
}

TEST(ShapesTest, AnInterruptedRunLeavesNoList) {
  const TempDir dir;
  ASSERT_TRUE(WriteShapes({.out = dir.path(), .n = 2}).ok());
  std::filesystem::remove(dir / "pictures/00001.png");
  std::filesystem::create_directory(dir / "pictures/00001.png");

  EXPECT_FALSE(WriteShapes({.out = dir.path(), .n = 2, .seed = 9}).ok());

  EXPECT_FALSE(std::filesystem::exists(dir / "captions.csv"));
}

}  // namespace
}  // namespace vlm::insight
