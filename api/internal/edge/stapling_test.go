package edge_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/etrainer/backend/pkg/edgetest"
)

// authority issues certificates, and answers by OCSP that they are good.
type authority struct {
	t           *testing.T
	certificate *x509.Certificate
	key         crypto.Signer
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	a := &authority{t: t, key: key}
	a.certificate = a.sign(template, template, key.Public())
	return a
}

func (a *authority) sign(template, issuer *x509.Certificate, key crypto.PublicKey) *x509.Certificate {
	a.t.Helper()
	raw, err := x509.CreateCertificate(rand.Reader, template, issuer, key, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(raw)
	if err != nil {
		a.t.Fatal(err)
	}
	return parsed
}

// issue writes a chain for 127.0.0.1 and its key, as an authority hands them out.
func (a *authority) issue(dir string) (chain, keyFile string, issued *x509.Certificate) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	issued = &x509.Certificate{SerialNumber: big.NewInt(2)}
	responder := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reply, err := ocsp.CreateResponse(a.certificate, a.certificate, ocsp.Response{
			Status: ocsp.Good, SerialNumber: issued.SerialNumber, ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour),
		}, a.key)
		if err != nil {
			a.t.Error(err)
		}
		w.Header().Set("Content-Type", "application/ocsp-response")
		_, _ = w.Write(reply)
	}))
	a.t.Cleanup(responder.Close)
	issued = a.sign(&x509.Certificate{
		SerialNumber: issued.SerialNumber, Subject: pkix.Name{CommonName: "edge"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, OCSPServer: []string{responder.URL},
	}, a.certificate, key.Public())
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	chain, keyFile = filepath.Join(dir, "fullchain.pem"), filepath.Join(dir, "privkey.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issued.Raw})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})...)
	if err := os.WriteFile(chain, text, 0o600); err != nil {
		a.t.Fatal(err)
	}
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return chain, keyFile, issued
}

// TestStapling: with NGINX_STAPLING=on the edge asks the authority, and shows
// clients its answer.
func TestStapling(t *testing.T) {
	t.Parallel()
	edgetest.NeedsNginx(t)
	api := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(api.Close)
	a := newAuthority(t)
	dir := t.TempDir()
	chain, key, issued := a.issue(dir)
	roots := x509.NewCertPool()
	roots.AddCert(a.certificate)
	n := edgetest.StartWith(t, dir, chain, key, roots, []string{api.Listener.Addr().String()}, "NGINX_STAPLING=on", "NGINX_RESOLVER=127.0.0.1")
	n.Until("the answer of the authority is stapled", func() bool {
		connection, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", n.HTTPSPort), &tls.Config{RootCAs: roots})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = connection.Close() }()
		stapled := connection.OCSPResponse()
		if len(stapled) == 0 {
			return false // nginx asks after the first handshake
		}
		answer, err := ocsp.ParseResponseForCert(stapled, issued, a.certificate)
		if err != nil || answer.Status != ocsp.Good {
			t.Fatalf("stapled: %+v, %v", answer, err)
		}
		return true
	})
}
