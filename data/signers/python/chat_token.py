# chat_token.py -- POST /chat-token for Flask: the token with which the signed-in visitor's chat speaks to Postern.
# Tested with Debian 12's Python 3.11, Flask 2.2 and PyJWT 2.6. In your application: app.register_blueprint(chat_token)
#
# 1. The email comes from the session that this backend made at sign-in. Nothing that the browser sends is read.
# 2. Only an email that this site has verified is signed.
# 3. The secret stays here: in the environment, in no page, no log and no repository.
import os
import time

import jwt
from flask import Blueprint, request, session

KEY = os.environ["POSTERN_SIGNING_KEY"]         # missing: the application does not start
KID = os.environ.get("POSTERN_SIGNING_KID")
if len(KEY) < 32:
    raise SystemExit("POSTERN_SIGNING_KEY is too short")

chat_token = Blueprint("chat_token", __name__)


@chat_token.post("/chat-token")
def mint():
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":     # a page of another site asks
        return {"error": "cross_site"}, 403
    user = session.get("user")                  # what your sign-in put there; or load the row of the session's user id
    if not user:
        return {"error": "sign_in_required"}, 401
    if user.get("email_verified") is not True:
        return {"error": "email_not_verified"}, 403
    now = int(time.time())
    email = user["email"].encode().lower().decode()     # of bytes, lower() changes A to Z only: no other letter becomes a k
    token = jwt.encode({"email": email, "iat": now, "exp": now + 3600}, KEY, "HS256", {"kid": KID} if KID else None)
    return {"token": token}, 200, {"Cache-Control": "no-store"}
