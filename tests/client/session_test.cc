// How vlmctl connects: TLS with a client certificate, tokens, and who is refused. The server is a
// stand-in with certificates made for the test.
#include "client/session.h"

#include <fstream>
#include <sstream>

#include "client/cli.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/process.h"

namespace vlm::client {
namespace {

using ::testing::HasSubstr;

class StatusOnly final : public v1::Control::Service {
 public:
  grpc::Status GetStatus(grpc::ServerContext* context, const v1::GetStatusRequest*,
                         v1::GetStatusResponse* response) override {
    const auto token = context->client_metadata().find("authorization");
    response->set_version(token == context->client_metadata().end()
                              ? "no token"
                              : std::string(token->second.data(), token->second.size()));
    if (refuse) return {grpc::StatusCode::UNAUTHENTICATED, "who are you?"};
    return grpc::Status::OK;
  }
  bool refuse = false;
};

class TlsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    setenv("VLMCTL_CONFIG", (dir_ / "config.yaml").c_str(), 1);
    auto made = vlm::testing::Process::Start(
        {"/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", dir_ / "key", "-out", dir_ / "pem"});
    ASSERT_TRUE(made.ok());
    ASSERT_EQ((*made)->Wait().value_or(-1), 0) << (*made)->Stderr();
    grpc::SslServerCredentialsOptions tls(
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    tls.pem_root_certs = Read("pem");
    tls.pem_key_cert_pairs.push_back({Read("key"), Read("pem")});
    grpc::ServerBuilder builder;
    builder.AddListeningPort("localhost:0", grpc::SslServerCredentials(tls), &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
  }
  void TearDown() override { unsetenv("VLMCTL_CONFIG"); }
  std::string Read(const std::string& name) {
    std::ifstream file(dir_ / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  int Status(const std::string& context) {
    std::ofstream(dir_ / "config.yaml")
        << "current: tls\ncontexts:\n  tls: {addr: 'localhost:" << port_ << "'" << context << "}\n";
    out_.str("");
    Cli cli;
    return cli.Run({"status", "-o", "json", "--timeout", "10"}, {out_, err_});
  }
  std::string Certificates() {
    return ", cacert: " + (dir_ / "pem") + ", cert: " + (dir_ / "pem") + ", key: " + (dir_ / "key");
  }

  vlm::testing::TempDir dir_;
  StatusOnly service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::ostringstream out_, err_;
};

TEST_F(TlsTest, CertificatesOfTheContextAreUsed) {
  EXPECT_EQ(Status(Certificates()), kDone) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("no token"));
}

TEST_F(TlsTest, TheTokenTravelsOnEveryCall) {
  std::ofstream(dir_ / "token") << "s3cret\n";
  EXPECT_EQ(Status(Certificates() + ", token_file: " + (dir_ / "token")), kDone) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("Bearer s3cret"));
}

TEST_F(TlsTest, WithoutOurCertificateTheServerDoesNotTalk) {
  EXPECT_EQ(Status(", cacert: " + (dir_ / "pem")), kUnreachable);
}

TEST_F(TlsTest, PlaintextIsNoWayIn) { EXPECT_EQ(Status(""), kUnreachable); }

TEST_F(TlsTest, ARefusedIdentityIs5) {
  service_.refuse = true;
  EXPECT_EQ(Status(Certificates()), kDenied);
  EXPECT_THAT(err_.str(), HasSubstr("who are you?"));
}

TEST_F(TlsTest, AMissingCertificateIsNamed) {
  EXPECT_EQ(Status(", cacert: /nowhere/ca.pem"), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("/nowhere/ca.pem"));
}

}  // namespace
}  // namespace vlm::client
