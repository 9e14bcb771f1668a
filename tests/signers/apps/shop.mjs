// shop.mjs KIND PORT: an Express application around data/signers/KIND/chat-token.mjs.
import https from "node:https";
import net from "node:net";
import express from "express";

const [kind, port] = process.argv.slice(2);
const app = express();

// All that firebase-admin asks of Google goes to the stand-in, by the hook that its users have for proxies.
class ToStandIn extends https.Agent {
  createConnection() {
    return net.connect(Number(process.env.STAND_IN_PORT), "127.0.0.1");
  }
}

const session = {
  async node() {
    const { default: sessions } = await import("express-session");
    app.use(sessions({ secret: "of this test", resave: false, saveUninitialized: false }));
    app.post("/sign-in", express.json(), (req, res) => {
      req.session.user = req.body;
      res.end();
    });
  },
  async clerk() {
    const { clerkMiddleware } = await import("@clerk/express");
    app.use(clerkMiddleware({ authorizedParties: ["https://shop.example"] }));
  },
  async firebase() {
    const { initializeApp } = await import("firebase-admin/app");
    const credential = { getAccessToken: async () => ({ access_token: "of this test", expires_in: 3600 }) };
    initializeApp({ projectId: "demo-shop", credential, httpAgent: new ToStandIn() });
  },
  async supabase() {},
  async auth0() {
    const { auth } = await import("express-openid-connect");
    app.use(auth({ authRequired: false }));
  },
};

await session[kind]();
app.use(express.json(), express.urlencoded({ extended: true })); // as any application has them
const { chatToken } = await import(`./${kind}/chat-token.mjs`);
app.post("/chat-token", chatToken);
app.listen(Number(port), "127.0.0.1");
