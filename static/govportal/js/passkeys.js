// Passkeys. The page says in data-passkey what to do; what the authenticator answers is posted as a hidden field.
"use strict";
(() => {
  const decode = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
  const encode = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replace(/\+/g, "-")
      .replace(/\//g, "_")
      .replace(/=+$/, "");
  const described = (list) => (list || []).map((one) => ({ ...one, id: decode(one.id) }));

  async function create(options) {
    const key = options.publicKey;
    const made = await navigator.credentials.create({
      publicKey: {
        ...key,
        challenge: decode(key.challenge),
        user: { ...key.user, id: decode(key.user.id) },
        excludeCredentials: described(key.excludeCredentials),
      },
    });
    return {
      ...head(made),
      response: {
        clientDataJSON: encode(made.response.clientDataJSON),
        attestationObject: encode(made.response.attestationObject),
        transports: made.response.getTransports?.() || [],
      },
    };
  }

  async function get(options) {
    const key = options.publicKey;
    const given = await navigator.credentials.get({
      publicKey: { ...key, challenge: decode(key.challenge), allowCredentials: described(key.allowCredentials) },
    });
    const { clientDataJSON, authenticatorData, signature, userHandle } = given.response;
    return {
      ...head(given),
      response: {
        clientDataJSON: encode(clientDataJSON),
        authenticatorData: encode(authenticatorData),
        signature: encode(signature),
        userHandle: userHandle ? encode(userHandle) : null,
      },
    };
  }

  const head = (credential) => ({
    type: credential.type,
    id: credential.id,
    rawId: encode(credential.rawId),
    authenticatorAttachment: credential.authenticatorAttachment,
    clientExtensionResults: credential.getClientExtensionResults(),
  });

  async function options(form) {
    if (form.dataset.passkey !== "login") {
      const data = JSON.parse(document.getElementById("passkey-data").textContent);
      return data.creation_options || data.request_options;
    }
    const answer = await fetch(form.action, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error("no options");
    return (await answer.json()).request_options;
  }

  const supported = Boolean(window.PublicKeyCredential && navigator.credentials);
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const say = document.getElementById(form.dataset.say);
    if (!supported) {
      if (say) say.hidden = false;
      continue;
    }
    for (const part of document.querySelectorAll(`[data-needs-passkey="${form.id}"]`)) part.hidden = false;
    let busy = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (busy) return;
      busy = true;
      if (say) say.hidden = true;
      try {
        const asked = await options(form);
        const credential = await (form.dataset.passkey === "create" ? create(asked) : get(asked));
        form.elements.credential.value = JSON.stringify(credential);
        form.submit();
      } catch {
        // Cancelled, timed out, or there is no passkey for this address: say so and let them choose again.
        busy = false;
        if (say) {
          say.hidden = false;
          say.focus();
        }
      }
    });
  }
})();
