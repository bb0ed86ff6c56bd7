// Every method of every service answers: C++ services answer UNIMPLEMENTED silently, so the
// descriptors are walked and each method is called with an empty request.
#include "google/protobuf/descriptor.h"
#include "google/protobuf/dynamic_message.h"
#include "grpcpp/generic/generic_stub.h"
#include "tests/contract/coordinator_fixture.h"

namespace vlm {
namespace {

class EveryRpcTest : public CoordinatorFixture {
 protected:
  // The status of one call with one empty message, for a method of any kind.
  grpc::Status CallEmpty(const std::string& method) {
    grpc::GenericStub stub(channel_);
    grpc::CompletionQueue queue;
    const auto context = MakeContext(absl::Seconds(5));
    auto call = stub.PrepareCall(context.get(), method, &queue);
    const auto wait = [&queue] {
      void* tag = nullptr;
      bool ok = false;
      return queue.Next(&tag, &ok) && ok;
    };
    grpc::Status status;
    call->StartCall(nullptr);
    wait();
    const grpc::Slice empty;
    call->WriteLast(grpc::ByteBuffer(&empty, 1), {}, nullptr);
    wait();
    // A stream may stay open for ever: one answer, or none for a moment, is enough.
    grpc::ByteBuffer answer;
    call->Read(&answer, nullptr);
    void* tag = nullptr;
    bool ok = false;
    if (queue.AsyncNext(&tag, &ok, absl::ToChronoTime(absl::Now() + absl::Milliseconds(300))) ==
        grpc::CompletionQueue::TIMEOUT) {
      context->TryCancel();
      wait();
    } else if (ok) {
      context->TryCancel();
    }
    call->Finish(&status, nullptr);
    wait();
    queue.Shutdown();
    while (queue.Next(&tag, &ok)) {
    }
    return status;
  }
};

TEST_F(EveryRpcTest, NoMethodIsUnimplemented) {
  int methods = 0;
  for (const char* name : {"vlm.v1.Control", "vlm.v1.Fleet", "optuna.StorageService"}) {
    const auto* service =
        google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
    ASSERT_NE(service, nullptr) << name;
    for (int i = 0; i < service->method_count(); ++i, ++methods) {
      const std::string method = "/" + std::string(name) + "/" + service->method(i)->name();
      const grpc::Status status = CallEmpty(method);
      EXPECT_NE(status.error_code(), grpc::StatusCode::UNIMPLEMENTED) << method;
      EXPECT_NE(status.error_code(), grpc::StatusCode::INTERNAL) << method;
    }
  }
  EXPECT_EQ(methods, 52);
}

TEST_F(EveryRpcTest, AMethodThatDoesNotExistIsUnimplemented) {
  EXPECT_EQ(CallEmpty("/vlm.v1.Control/Nothing").error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(EveryRpcTest, HealthAndReflectionAnswer) {
  EXPECT_NE(CallEmpty("/grpc.health.v1.Health/Check").error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_NE(
      CallEmpty("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo").error_code(),
      grpc::StatusCode::UNIMPLEMENTED);
}

}  // namespace
}  // namespace vlm
