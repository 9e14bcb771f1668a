// Package chattoken answers POST /chat-token: the token with which the signed-in visitor's chat speaks to Postern.
// Tested with Debian 12's Go 1.19; the standard library alone.
//
// 1. The email comes from the session that this backend made at sign-in. Nothing that the browser sends is read.
// 2. Only an email that this site has verified is signed.
// 3. The secret stays here: in the environment, in no page, no log and no repository.
//
// In your application, with its own way to find the session: http.Handle("/chat-token", chattoken.Handler(signedIn))
package chattoken

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strings"
	"time"
)

// User is who is signed in, as the server's own session or database says.
type User struct {
	Email         string
	EmailVerified bool
}

// Handler ends the program where the secret is missing. signedIn says false where the request has no session.
func Handler(signedIn func(*http.Request) (User, bool)) http.Handler {
	key := []byte(os.Getenv("POSTERN_SIGNING_KEY"))
	if len(key) < 32 {
		log.Fatal("POSTERN_SIGNING_KEY is missing or too short")
	}
	header := map[string]string{"alg": "HS256", "typ": "JWT"}
	if kid := os.Getenv("POSTERN_SIGNING_KID"); kid != "" {
		header["kid"] = kid
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			answer(w, http.StatusMethodNotAllowed, "error", "method_not_allowed")
			return
		}
		if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" { // a page of another site asks
			answer(w, http.StatusForbidden, "error", "cross_site")
			return
		}
		user, ok := signedIn(r)
		if !ok {
			answer(w, http.StatusUnauthorized, "error", "sign_in_required")
			return
		}
		if !user.EmailVerified {
			answer(w, http.StatusForbidden, "error", "email_not_verified")
			return
		}
		now := time.Now().Unix()
		signed := part(header) + "." + part(map[string]any{"email": lower(user.Email), "iat": now, "exp": now + 3600})
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(signed))
		answer(w, http.StatusOK, "token", signed+"."+base64.RawURLEncoding.EncodeToString(mac.Sum(nil)))
	})
}

func answer(w http.ResponseWriter, status int, name, value string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{name: value})
}

func part(object any) string {
	text, _ := json.Marshal(object) // of strings and integers: cannot fail
	return base64.RawURLEncoding.EncodeToString(text)
}

// lower changes A to Z only; strings.ToLower makes a k of the Kelvin sign too, and so one person of two.
func lower(email string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, email)
}
