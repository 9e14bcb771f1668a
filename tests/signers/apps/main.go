// A shop with sessions, whose sign-in believes everybody, around data/signers/go: shop PORT
package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"sync"

	"shop/chattoken"
)

func main() {
	var sessions sync.Map
	http.HandleFunc("/sign-in", func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Email    string `json:"email"`
			Verified bool   `json:"email_verified"`
		}
		if json.NewDecoder(r.Body).Decode(&body) != nil {
			http.Error(w, "no JSON", http.StatusBadRequest)
			return
		}
		id := make([]byte, 16)
		rand.Read(id)
		sessions.Store(hex.EncodeToString(id), chattoken.User{Email: body.Email, EmailVerified: body.Verified})
		http.SetCookie(w, &http.Cookie{Name: "session", Value: hex.EncodeToString(id), HttpOnly: true, SameSite: http.SameSiteLaxMode})
	})
	http.Handle("/chat-token", chattoken.Handler(func(r *http.Request) (chattoken.User, bool) {
		cookie, err := r.Cookie("session")
		if err != nil {
			return chattoken.User{}, false
		}
		user, ok := sessions.Load(cookie.Value)
		if !ok {
			return chattoken.User{}, false
		}
		return user.(chattoken.User), true
	}))
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
