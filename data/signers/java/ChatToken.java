// ChatToken.java -- POST /chat-token, a servlet: the token with which the signed-in visitor's chat speaks to Postern.
// Tested with Debian 12's OpenJDK 17 and Tomcat 10.1; of libraries it needs the servlet API alone.
//
// 1. The email comes from the session that this backend made at sign-in. Nothing that the browser sends is read.
// 2. Only an email that this site has verified is signed.
// 3. The secret stays here: in the environment, in no page, no log and no repository.
import jakarta.servlet.ServletException;
import jakarta.servlet.annotation.WebServlet;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpSession;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.time.Instant;
import java.util.Base64;
import java.util.Locale;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

@WebServlet(urlPatterns = "/chat-token", loadOnStartup = 1)
public class ChatToken extends HttpServlet {
    private static final Pattern CAPITALS = Pattern.compile("[A-Z]+");
    private static final Pattern PLAIN = Pattern.compile("[^\\p{Cntrl}\"\\\\]+");    // needs no escape in JSON
    private SecretKeySpec key;
    private String header;

    @Override
    public void init() throws ServletException {
        String secret = System.getenv("POSTERN_SIGNING_KEY");
        String kid = System.getenv("POSTERN_SIGNING_KID");
        if (secret == null || secret.length() < 32) {
            throw new ServletException("POSTERN_SIGNING_KEY is missing or too short");
        }
        key = new SecretKeySpec(secret.getBytes(StandardCharsets.UTF_8), "HmacSHA256");
        header = kid == null || kid.isEmpty() ? "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
            : "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"" + kid + "\"}";
    }

    @Override
    protected void doPost(HttpServletRequest request, HttpServletResponse response) throws IOException {
        String site = request.getHeader("Sec-Fetch-Site");
        if (site != null && !site.equals("same-origin")) {    // a page of another site asks
            answer(response, 403, "error", "cross_site");
            return;
        }
        HttpSession session = request.getSession(false);
        // What your sign-in put there; or load the row of the session's user id.
        String email = session == null ? null : (String) session.getAttribute("email");
        if (email == null) {
            answer(response, 401, "error", "sign_in_required");
        } else if (!Boolean.TRUE.equals(session.getAttribute("email_verified")) || !PLAIN.matcher(email).matches()) {
            answer(response, 403, "error", "email_not_verified");
        } else {
            answer(response, 200, "token", mint(email));
        }
    }

    private String mint(String email) {
        long now = Instant.now().getEpochSecond();
        // A to Z only: toLowerCase() of the whole makes a k of the Kelvin sign too, and so one person of two.
        String lower = CAPITALS.matcher(email).replaceAll(m -> m.group().toLowerCase(Locale.ROOT));
        String signed = part(header.getBytes(StandardCharsets.UTF_8)) + "." + part(
            ("{\"email\":\"" + lower + "\",\"iat\":" + now + ",\"exp\":" + (now + 3600) + "}").getBytes(StandardCharsets.UTF_8));
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(key);
            return signed + "." + part(mac.doFinal(signed.getBytes(StandardCharsets.UTF_8)));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String part(byte[] bytes) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }

    private static void answer(HttpServletResponse response, int status, String name, String value) throws IOException {
        response.setStatus(status);
        response.setContentType("application/json");
        response.setHeader("Cache-Control", "no-store");
        response.getWriter().write("{\"" + name + "\":\"" + value + "\"}");
    }
}
